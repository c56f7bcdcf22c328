"""What a virtual machine boots: an initramfs with a small Debian in it, and a second one with what is
tested."""
import lzma
import os
import pathlib
import shutil
import subprocess

from . import cpio, packages
from .cache import CACHE, HERE, VM, hash_of, made_once
from .trees import MODULES


def modules(trees):
    """Our own kernel modules, built; returns their folder."""
    source = VM / "module"
    folder = CACHE / f"modules-{hash_of(source, trees.folder)}"
    with made_once(folder) as work:
        if work is not None:
            shutil.copytree(source, work / "build")
            libraries = trees.kernel / "usr/lib/x86_64-linux-gnu"
            result = subprocess.run(
                ["make", "-s", "-C", trees.headers, f"M={work / 'build'}", "CC=gcc", "modules"], text=True,
                env=dict(os.environ, LD_LIBRARY_PATH=str(libraries)), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if result.returncode != 0:
                raise RuntimeError(f"the kernel modules do not build:\n{result.stdout}")
            for module in (work / "build").glob("*.ko"):
                subprocess.run(["strip", "--strip-debug", module], check=True)
                module.rename(work / module.name)
            shutil.rmtree(work / "build")
    return folder


def base(trees):
    """The initramfs without what is tested: Debian's programs and modules, our /init."""
    made_of = hash_of(HERE / "image.py", HERE / "cpio.py", VM / "guest/init", VM / "guest/truth_server.c",
                      trees.folder)
    folder = CACHE / f"image-{made_of}"
    with made_once(folder) as work:
        if work is not None:
            with open(work / "base.cpio", "wb") as file:
                _write_base(trees, cpio.Writer(file), work)
    return folder / "base.cpio"


def _write_base(trees, archive, work):
    archive.path(trees.guest, "")
    for name in ("proc", "sys", "dev", "run", "tmp", "root", "var/lib", "var/log", "test"):
        archive.folder(name)
    archive.link("usr/bin/python3", "python3.11")
    archive.link("usr/bin/sh", "bash")
    archive.link("var/run", "../run")
    archive.device("dev/console", 5, 1)
    archive.data("etc/passwd", b"root:x:0:0:root:/root:/bin/bash\n_chrony:x:101:101::/var/lib/chrony:/bin/false\n"
                               b"gnomon:x:102:102::/var/lib/gnomon:/bin/false\n")
    archive.data("etc/group", b"root:x:0:\n_chrony:x:101:\ngnomon:x:102:\n")
    archive.data("etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files\n")
    archive.data("etc/hosts", b"127.0.0.1 localhost\n")
    archive.data("init", (VM / "guest/init").read_bytes(), 0o755)
    server = work / "truth-server"
    subprocess.run(["gcc", "-std=c17", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-o", server,
                    VM / "guest/truth_server.c"], check=True)
    archive.data("usr/sbin/truth-server", server.read_bytes(), 0o755)
    # The loading order is that of MODULES: nothing needs an index of dependencies.
    for number, name in enumerate(MODULES):
        file = next((trees.kernel / "usr/lib/modules").rglob(f"{name}.ko.xz"))
        archive.data(f"modules/{number:02}-{name}.ko", lzma.decompress(file.read_bytes()))
    archive.end()


def payload(folder, trees, programs, test):
    """Writes the second initramfs: programs with the libraries that the guest lacks, modules, the test."""
    path = folder / "payload.cpio"
    with open(path, "wb") as file:
        archive = cpio.Writer(file)
        archive.path(modules(trees), "modules/test")
        for program in programs:
            stripped = folder / program.name
            subprocess.run(["strip", "-o", stripped, program], check=True)
            archive.data(f"usr/sbin/{program.name}", stripped.read_bytes(), 0o755)
            for library in _libraries(program):
                if not (trees.guest / "usr/lib/x86_64-linux-gnu" / library.name).exists():
                    archive.data(f"usr/lib/x86_64-linux-gnu/{library.name}", library.read_bytes())
        for source in sorted((VM / "guest").glob("*.py")):
            archive.data(f"test/{source.name}", source.read_bytes())
        archive.data("test/main.py", test.read_bytes())
        archive.end()
    return path


def _libraries(program):
    lines = packages.run("ldd", program).splitlines()
    return [pathlib.Path(words[2]) for words in map(str.split, lines) if len(words) > 2 and words[1] == "=>"]
