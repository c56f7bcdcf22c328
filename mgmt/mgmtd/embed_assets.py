#!/usr/bin/env python3
"""Writes a C++ table of files that become part of gnomon-mgmtd.

    embed_assets.py OUTPUT.cc FILE=/path/in/url... [--tree DIRECTORY]...

Every file below a --tree directory is served under its path there, and text compressed besides.
"""
import gzip
import hashlib
import pathlib
import sys

TYPES = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8", ".json": "application/json", ".svg": "image/svg+xml",
    ".png": "image/png", ".ico": "image/x-icon", ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json", ".txt": "text/plain; charset=utf-8",
}
PACKED = {".html", ".js", ".css", ".json", ".svg", ".webmanifest"}


def literal(data):
    """One string per line. Octal: unlike hexadecimal it ends after three digits."""
    lines = []
    for start in range(0, len(data), 4096):
        text = "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}"
                       for b in data[start:start + 4096])
        lines.append(f'    "{text}"')
    return "\n".join(lines) or '    ""'


def main():
    output, assets, trees = sys.argv[1], {}, []
    arguments = iter(sys.argv[2:])
    for argument in arguments:
        if argument == "--tree":
            trees.append(pathlib.Path(next(arguments)))
        else:
            file, url = argument.rsplit("=", 1)
            assets[url] = pathlib.Path(file)
    for tree in trees:
        for file in sorted(p for p in tree.rglob("*") if p.is_file() and not p.name.startswith(".")):
            assets["/" + file.relative_to(tree).as_posix()] = file
    table, contents = [], []
    for url, file in sorted(assets.items()):
        data = file.read_bytes()
        kind = TYPES.get(file.suffix, "application/octet-stream")
        etag = f'\\"{hashlib.sha256(data).hexdigest()[:16]}\\"'
        variants = [(url, data)]
        if file.suffix in PACKED:
            variants.append((url + ".gz", gzip.compress(data, 9, mtime=0)))
        for name, body in variants:
            contents.append(f"constexpr char kBody{len(contents)}[] =\n{literal(body)};\n")
            table.append(f'    {{"{name}", "{kind}", "{etag}", '
                         f"std::string_view(kBody{len(table)}, {len(body)})}},")
    pathlib.Path(output).write_text(
        '#include "mgmt/mgmtd/assets.h"\n\nnamespace gnomon::mgmtd {\nnamespace {\n\n'
        + "\n".join(contents) + "\nconstexpr Asset kAssets[] = {\n" + "\n".join(table)
        + "\n};\n\n}  // namespace\n\n"
        "const Asset* find_asset(std::string_view path) noexcept {\n"
        "    for (const Asset& asset : kAssets) {\n"
        "        if (asset.path == path) return &asset;\n    }\n    return nullptr;\n}\n\n"
        "}  // namespace gnomon::mgmtd\n")


main()
