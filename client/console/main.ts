/** The console's place. So far only its look. */
import "@fontsource-variable/instrument-sans/index.css";
import "./console.css";
