"""Runs one test in a virtual machine: QEMU's software emulation, one boot, a result."""
import ast
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import time

from . import image
from .trees import Trees

DEFAULTS = {
    "icount": True,      # virtual time: a pause costs nothing, and the machine's load does not matter
    "minutes": 10,       # of real time, after which it failed; generous, machines are shared
    "memory_mb": 512,
    "nics": [],          # emulated, in pairs on one hub: "igb", "e1000e"
    "kernel": "",        # more words for the kernel's command line
    "rtc": "2026-01-01T00:00:00",
}
STATE_BYTES = 32 << 20


def settings(test):
    """A test says what it wants in a literal: VM = {...}."""
    tree = ast.parse(test.read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "VM":
            wanted = ast.literal_eval(node.value)
            unknown = set(wanted) - set(DEFAULTS)
            if unknown:
                raise ValueError(f"{test.name}: unknown settings {sorted(unknown)}")
            return {**DEFAULTS, **wanted}
    return dict(DEFAULTS)


def _qemu(trees):
    """The unpacked QEMU with its own loader and libraries: nothing of it is the machine's."""
    tree = trees.qemu
    libraries = tree / "usr/lib/x86_64-linux-gnu"
    return [tree / "usr/lib64/ld-linux-x86-64.so.2", "--library-path", libraries,
            tree / "usr/bin/qemu-system-x86_64", "-L", tree / "usr/share/qemu", "-L", tree / "usr/share/seabios"]


def _devices(models):
    arguments = []
    for number, model in enumerate(models):
        hub = number // 2
        arguments += ["-netdev", f"hubport,hubid={hub},id=n{number}",
                      "-device", f"pcie-root-port,id=rp{number},chassis={number + 1}",
                      "-device", f"{model},netdev=n{number},mac=52:54:00:00:00:{number + 1:02x},bus=rp{number},"
                      "romfile="]
    return arguments


def command(trees, wanted, initrd, state, words):
    clock = ["-icount", "shift=2,sleep=off", "-accel", "tcg,thread=single"] if wanted["icount"] else ["-accel", "tcg"]
    kernel = next((trees.kernel / "boot").glob("vmlinuz-*"))
    append = f"console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on tsc=reliable {wanted['kernel']} {words}"
    return [*_qemu(trees), "-M", "q35", "-cpu", "max", "-smp", "1", "-m", wanted["memory_mb"], *clock,
            "-nodefaults", "-display", "none", "-monitor", "none", "-serial", "stdio",
            "-rtc", f"base={wanted['rtc']},clock=vm", "-kernel", kernel, "-initrd", initrd, "-append", append,
            "-drive", f"file={state},format=raw,if=none,id=d0,cache=unsafe", "-device", "virtio-blk-pci,drive=d0",
            *_devices(wanted["nics"])]


def run(test, programs, output, say, arguments=(), shell=False):
    """Runs `test` (a file); returns its exit code (0 good, 77 cannot run, else bad). What the guest left
    in /results comes to the folder `output`."""
    trees = Trees(say)
    wanted = settings(test)
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gnomon-vm-") as name:
        work = pathlib.Path(name)
        initrd, state = work / "initrd", work / "state"
        with open(initrd, "wb") as file:
            for part in (image.base(trees), image.payload(work, trees, programs, test)):
                file.write(part.read_bytes())
        with open(state, "wb") as file:
            file.truncate(STATE_BYTES)
        words = "shell" if shell else " ".join(f"test.{argument}" for argument in arguments)
        argv = [str(word) for word in command(trees, wanted, initrd, state, words)]
        environment = dict(os.environ, QEMU_MODULE_DIR=str(trees.qemu / "usr/lib/x86_64-linux-gnu/qemu"))
        if shell:
            subprocess.run(argv, env=environment)
            return 0
        finished = _watch(argv, environment, output / "console.log", wanted["minutes"] * 60)
        return _result(state, output) if finished else 1


def _watch(argv, environment, log, limit_s):
    """Shows the guest's lines that start with '@@'; all go to the log."""
    start = time.monotonic()
    with open(log, "w") as file:
        qemu = subprocess.Popen(["timeout", "-k", "5", str(limit_s), *argv], env=environment, text=True,
                                errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
        for line in qemu.stdout:
            line = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\x1bc]*\x1bc", "", line.rstrip())
            file.write(f"{time.monotonic() - start:7.1f} {line}\n")
            file.flush()
            if line.startswith("@@ "):
                print("    " + line[3:], flush=True)
        code = qemu.wait()
    if code == 124:
        print(f"    not finished within {limit_s // 60} minutes; see {log}", file=sys.stderr)
    return code == 0


def _result(state, output):
    try:
        with tarfile.open(state, "r:") as archive:
            archive.extractall(output, [m for m in archive if m.name.startswith("results/")])
        return int((output / "results/code").read_text())
    except (tarfile.TarError, OSError, ValueError) as error:
        print(f"    no result from the guest ({error}); see {output}/console.log", file=sys.stderr)
        return 1
