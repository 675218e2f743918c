/**
 * Pictures that are dropped on or pasted into the frame. Calls `onPicture` with the first file of each.
 *
 * - Says whether something is being dragged over the frame.
 * - A drop never navigates the frame away, whatever was dropped.
 */
import { useEffect, useState } from "preact/hooks";

export function usePictures(onPicture: (file: File) => void): boolean {
  const [isDragging, setDragging] = useState(false);

  useEffect(() => {
    // Entering a child fires before leaving its parent: count, so that the frame does not flicker.
    let depth = 0;
    const set = (next: number) => {
      depth = Math.max(0, next);
      setDragging(depth > 0);
    };
    const listeners = new AbortController();
    const on = <E extends keyof WindowEventMap>(event: E, handle: (event: WindowEventMap[E]) => void) =>
      window.addEventListener(event, handle, { signal: listeners.signal });

    on("dragenter", () => set(depth + 1));
    on("dragleave", () => set(depth - 1));
    on("dragover", (event) => event.preventDefault());
    on("drop", (event) => {
      event.preventDefault();
      set(0);
      const file = event.dataTransfer?.files[0];
      if (file) onPicture(file);
    });
    on("paste", (event) => {
      const file = event.clipboardData?.files[0];
      if (file) onPicture(file);
    });
    return () => listeners.abort();
  }, [onPicture]);

  return isDragging;
}
