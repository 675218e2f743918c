/** Style sheets that a module imports for their effect on the page; vite bundles them. */
declare module "*.css";
