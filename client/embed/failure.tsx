/** What went wrong, in words, and what helps. The next picture is always welcome. */
import type { LeaseholdError } from "../errors.ts";
import { Alert, Picture as PictureIcon, Retry } from "./icons.tsx";
import { PicturePreview } from "./picture-preview.tsx";
import type { Picture } from "./view.ts";
import { WORDS, whenWords } from "./wording.ts";

interface FailureProps {
  readonly picture: Picture;
  readonly error: LeaseholdError;
  readonly onRetry: () => void;
  readonly onChoose: () => void;
}

export function Failure({ picture, error, onRetry, onChoose }: FailureProps) {
  const { title, text, remedy } = WORDS[error.code];
  return (
    <section class="failure" role="alert" data-testid="error" data-code={error.code}>
      <div class="failure-picture">
        <PicturePreview picture={picture} />
      </div>
      <div class="failure-words">
        <h1>
          <Alert /> {title}
        </h1>
        <p>{text}</p>
        {error.resetsAt && (
          <p>
            Resets{" "}
            <time dateTime={error.resetsAt} title={error.resetsAt}>
              {whenWords(new Date(error.resetsAt), new Date())}
            </time>
            .
          </p>
        )}
        <div class="buttons">
          {remedy === "retry" && (
            <button type="button" class="button main" onClick={onRetry}>
              <Retry /> Try again
            </button>
          )}
          <button type="button" class={remedy === "another" ? "button main" : "button"} onClick={onChoose}>
            <PictureIcon /> Choose another picture
          </button>
        </div>
        {error.requestId && <p class="small">Reference {error.requestId}</p>}
      </div>
    </section>
  );
}
