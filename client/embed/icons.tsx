/** Line icons of 20 × 20 in the text's colour. All are decoration: the words stand beside them or in a label. */
import type { ComponentChildren } from "preact";

function Icon({ children, size = 20 }: { children: ComponentChildren; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 20 20" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

/** The mark: a viewfinder around two lines of text. */
export const Mark = () => (
  <Icon size={22}>
    <path d="M3 6.5V4.8A1.8 1.8 0 0 1 4.8 3h1.7M13.5 3h1.7A1.8 1.8 0 0 1 17 4.8v1.7M17 13.5v1.7a1.8 1.8 0 0 1-1.8 1.8h-1.7M6.5 17H4.8A1.8 1.8 0 0 1 3 15.2v-1.7" />
    <path d="M6.5 8.3h7M6.5 11.7h4.5" />
  </Icon>
);
export const Copy = () => (
  <Icon size={18}>
    <rect x="7" y="7" width="9.5" height="9.5" rx="2" />
    <path d="M13 7V5.5a2 2 0 0 0-2-2H5.5a2 2 0 0 0-2 2V11a2 2 0 0 0 2 2H7" />
  </Icon>
);
export const Check = () => (
  <Icon size={18}>
    <path d="m4.5 10.5 3.7 3.7 7.3-8" />
  </Icon>
);
export const Picture = () => (
  <Icon size={18}>
    <rect x="2.8" y="3.8" width="14.4" height="12.4" rx="2.2" />
    <path d="m3.5 14 3.9-3.9a1.5 1.5 0 0 1 2.1 0l4.9 4.9M12 11.7l1-1a1.5 1.5 0 0 1 2.1 0l2 2" />
  </Icon>
);
export const Lock = () => (
  <Icon size={16}>
    <rect x="4.5" y="9" width="11" height="7.5" rx="2" />
    <path d="M7 9V6.5a3 3 0 0 1 6 0V9" />
  </Icon>
);
export const Retry = () => (
  <Icon size={18}>
    <path d="M16 10a6 6 0 1 1-1.8-4.3" />
    <path d="M16.5 2.8v3.4h-3.4" />
  </Icon>
);
export const Alert = () => (
  <Icon size={22}>
    <circle cx="10" cy="10" r="7.2" />
    <path d="M10 6.3v4.4M10 13.6v.05" />
  </Icon>
);

export const Speech = () => (
  <Icon size={22}>
    <path d="M5.3 3.5h9.4A2.3 2.3 0 0 1 17 5.8v5.4a2.3 2.3 0 0 1-2.3 2.3H9.4L5.6 16.6v-3.1h-.3A2.3 2.3 0 0 1 3 11.2V5.8a2.3 2.3 0 0 1 2.3-2.3Z" />
    <path d="M6.6 7.2h6.8M6.6 10h4.4" />
  </Icon>
);
export const Send = () => (
  <Icon>
    <path d="M10 16V4.5M5 9.2l5-5 5 5" />
  </Icon>
);
export const Plus = () => (
  <Icon size={16}>
    <path d="M10 4.5v11M4.5 10h11" />
  </Icon>
);
export const Stop = () => (
  <Icon>
    <rect x="5.5" y="5.5" width="9" height="9" rx="2" fill="currentColor" />
  </Icon>
);

/** The picture of the empty state: a slip of paper in a viewfinder, one of its lines marked. */
export const Slip = () => (
  <svg class="slip" width="76" height="84" viewBox="0 0 76 84" fill="none" aria-hidden="true" focusable="false">
    <path class="slip-paper" d="M14 8.5h48v66l-6-4.3-6 4.3-6-4.3-6 4.3-6-4.3-6 4.3-6-4.3-6 4.3z" stroke-width="1.6" stroke-linejoin="round" />
    <rect class="slip-marker" x="19" y="35" width="38" height="10" rx="2" />
    <path class="slip-text" d="M23 20.5h17M23 29.5h30M23 40h23M50 40h3M23 50.5h13M46 50.5h7M23 59.5h20" stroke-width="2.2" stroke-linecap="round" />
  </svg>
);
