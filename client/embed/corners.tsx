/** The corners of a viewfinder, around whatever they stand in. */
export const Corners = () => (
  <div class="corners" aria-hidden="true">
    <i />
    <i />
    <i />
    <i />
  </div>
);
