"""Debian packages unpacked: QEMU, the kernel with what modules are built with, the guest's programs."""
import os
import shutil

from . import packages
from .cache import CACHE, HERE, hash_of, made_once
from .packages import Unavailable

# Kernel modules of the guest, with those they depend on.
MODULES = ("virtio_blk", "failover", "net_failover", "virtio_net", "dca", "i2c-algo-bit", "igb", "e1000e",
           "sch_netem", "veth", "pps-ldisc")

# Folders of the guest's packages that no test needs.
PRUNED = ("usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/info/", "usr/share/bash-completion/",
          "usr/share/lintian/", "usr/share/bug/", "usr/lib/x86_64-linux-gnu/gconv/", "usr/lib/locale/",
          "usr/lib/python3.11/test/", "usr/lib/python3.11/lib2to3/", "usr/lib/python3.11/pydoc_data/",
          "usr/lib/python3.11/ensurepip/", "usr/lib/python3.11/idlelib/",
          "usr/share/perl", "usr/lib/systemd/", "lib/systemd/", "etc/init.d/", "var/", "lib/udev/", "usr/lib/udev/")


class Trees:
    """Unpacked packages: qemu/, kernel/ (image, modules, headers), guest/."""

    def __init__(self, say):
        self.folder = CACHE / f"trees-{hash_of(HERE / 'packages.py', HERE / 'trees.py')}"
        with made_once(self.folder) as work:
            if work is not None:
                say("fetching QEMU, the kernel and the guest from Debian")
                self._make(work)
        self.qemu = self.folder / "qemu"
        self.guest = self.folder / "guest"
        self.kernel = self.folder / "kernel"
        self.version = (self.kernel / "version").read_text()
        self.headers = self.kernel / f"usr/src/linux-headers-{self.version}"

    def _make(self, work):
        if os.uname().machine != "x86_64":
            raise Unavailable("the guest is made for x86_64")
        apt = packages.Apt(work / "apt")
        apt.prepare()
        packages.unpack(apt.closure(packages.QEMU, packages.BACKPORTS), work / "qemu",
                        lambda name: not name.startswith("usr/share/doc/"))
        self._unpack_kernel(apt, work / "kernel")
        packages.unpack(apt.closure(packages.GUEST, without=packages.NOT_IN_GUEST), work / "guest",
                        _is_needed_in_guest)
        shutil.rmtree(work / "apt")

    def _unpack_kernel(self, apt, tree):
        image = apt.dependencies("linux-image-amd64", packages.BACKPORTS)[0]
        version = image.removeprefix("linux-image-")
        headers = f"linux-headers-{version}"
        build = [name for name in apt.dependencies(headers, packages.BACKPORTS)
                 if name.startswith(("linux-headers-", "linux-kbuild-"))]
        files = apt.exactly([image, headers, *build, "libelf1"], packages.BACKPORTS)
        packages.unpack(files, tree, _is_needed_of_kernel)
        # The headers name each other by the absolute path of an installation.
        makefile = tree / "usr/src" / headers / "Makefile"
        makefile.write_text(makefile.read_text().replace("/usr/src/", f"{self.folder}/kernel/usr/src/"))
        (tree / "version").write_text(version)


def _is_needed_in_guest(name):
    if name.startswith("usr/share/zoneinfo/"):
        return name.endswith(("/UTC", "/right", "/leap-seconds.list"))
    return not (name + "/").startswith(PRUNED)


def _is_needed_of_kernel(name):
    name = name.removeprefix("usr/")
    if name.startswith("lib/modules/"):
        return "/kernel" not in name or name.rsplit("/", 1)[1].removesuffix(".ko.xz") in MODULES
    # Without vmlinux among the headers no type information is made of our module, which needs a tool more.
    return not name.startswith(("share/doc", "share/lintian")) and not name.endswith("/vmlinux")
