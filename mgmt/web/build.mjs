// Bundles the page into dist/, which becomes part of gnomon-mgmtd when that is built.
import { build } from "esbuild";
import { copyFile, mkdir, readdir, rm, stat } from "node:fs/promises";

const limitBytes = 300_000;
const out = new URL("dist/", import.meta.url);
await rm(out, { recursive: true, force: true });
await mkdir(out);
await build({
  entryPoints: ["src/main.js", "src/style.css"],
  bundle: true,
  minify: true,
  target: "es2022",
  format: "esm",
  legalComments: "inline",
  outdir: "dist",
  absWorkingDir: new URL(".", import.meta.url).pathname,
});
for (const file of ["index.html", "icon.svg"]) {
  await copyFile(new URL(`src/${file}`, import.meta.url), new URL(file, out));
}
let total = 0;
for (const file of await readdir(out)) total += (await stat(new URL(file, out))).size;
console.log(`dashboard: ${total} bytes`);
if (total >= limitBytes) throw new Error(`the page is larger than ${limitBytes} bytes`);
