"""Debian packages without installing any: a private apt in a cache folder, and trees unpacked from it.

The machine's own package lists, sources and status stay as they are. QEMU and the kernel come from
backports: their apt source is the machine's source for Debian with another suite.
"""
import os
import pathlib
import shutil
import subprocess
import tarfile


class Unavailable(Exception):
    """Why this machine cannot have the packages."""


SUITE = "bookworm"
BACKPORTS = f"{SUITE}-backports"

QEMU = ["qemu-system-x86", "seabios"]
# Meta packages: the newest kernel of backports, and what modules for it are built with.
KERNEL = ["linux-image-amd64", "linux-headers-amd64"]
GUEST = ["bash", "coreutils", "chrony", "ethtool", "grep", "iproute2", "kmod", "libcap2", "libedit2",
         "libfmt9", "libnettle8", "libpython3.11-stdlib", "libseccomp2", "libstdc++6", "mount", "procps",
         "python3.11-minimal", "sed", "tzdata", "util-linux", "util-linux-extra"]
# What others depend on for installing only: nothing of it runs in the guest.
NOT_IN_GUEST = ["adduser", "base-files", "debconf", "dpkg", "init-system-helpers", "libdb5.3", "libgdbm6",
                "libgdbm-compat4", "libgssapi-krb5-2", "libk5crypto3", "libkrb5-3", "libkrb5support0",
                "libnsl2", "libperl5.36", "libsqlite3-0", "libtirpc3", "media-types", "passwd", "perl",
                "perl-base", "perl-modules-5.36", "readline-common", "sensible-utils", "tar", "ucf"]


def run(*argv, **options):
    return subprocess.run([str(a) for a in argv], check=True, text=True, capture_output=True, **options).stdout


class Apt:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.archives = self.folder / "archives"
        self.configuration = self.folder / "apt.conf"
        self.environment = dict(os.environ, APT_CONFIG=str(self.configuration), DEBIAN_FRONTEND="noninteractive")

    def prepare(self):
        """Private lists of the machine's Debian sources and of backports. Raises Unavailable."""
        if shutil.which("apt-get") is None:
            raise Unavailable("packages come from apt, and this machine has none")
        for folder in ("lists/partial", "archives/partial", "sources"):
            (self.folder / folder).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        self._configure("")
        self._apt("update", tolerate=True)
        sources = self._debian_sources()
        (self.folder / "sources/vm.list").write_text("\n".join(sources) + "\n")
        self._configure(f'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "{self.folder}/sources";\n')
        self._apt("update", "-o", "APT::Update::Error-Mode=any")

    def _configure(self, sources):
        # An empty status file: dependencies resolve as on a bare system, whatever is installed here.
        self.configuration.write_text(
            f'{sources}Dir::State::lists "{self.folder}/lists";\n'
            f'Dir::State::status "{self.folder}/status";\n'
            f'Dir::Cache "{self.folder}";\n'
            f'Dir::Cache::archives "{self.archives}";\n'
            'APT::Install-Recommends "false";\nAPT::Sandbox::User "root";\n'
            f'APT::Default-Release "{SUITE}";\n')

    def _debian_sources(self):
        listing = self._apt("indextargets", "--format",
                            "$(CREATED_BY)|$(ORIGIN)|$(CODENAME)|$(SITE)|$(RELEASE)|$(COMPONENT)")
        lines, base = [], None
        for line in listing.splitlines():
            created_by, origin, codename, site, release, component = line.split("|")
            if created_by == "Packages" and origin == "Debian" and codename.startswith(SUITE):
                lines.append(self._source(site, release, component))
                if codename == SUITE:
                    base = site
        if base is None:
            raise Unavailable(f"no apt source of Debian {SUITE} is configured or reachable")
        return sorted(set(lines)) + [self._source(base, BACKPORTS, "main")]

    @staticmethod
    def _source(site, suite, component):
        keyring = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")
        options = f"[signed-by={keyring}] " if keyring.exists() else ""
        return f"deb {options}{site} {suite} {component}"

    def _apt(self, *arguments, tolerate=False):
        result = subprocess.run(["apt-get", "-qq", *map(str, arguments)], env=self.environment, text=True,
                                capture_output=True, cwd=self.folder)
        if result.returncode != 0 and not tolerate:
            raise Unavailable(f"apt-get {arguments[0]}: {(result.stderr.strip() or 'failed').splitlines()[-1]}")
        return result.stdout

    def closure(self, packages, suite=SUITE, without=()):
        """Downloads packages with all they depend on; returns the files."""
        planned = self._apt("--print-uris", "-t", suite, "install", *packages)
        names = [line.split("'")[2].split()[0] for line in planned.splitlines() if line.startswith("'")]
        wanted = [name for name in names if name.split("_")[0] not in without]
        specifications = [f"{name.split('_')[0]}={name.split('_')[1].replace('%3a', ':')}" for name in wanted]
        self._apt("-t", suite, "download", *specifications)
        return [self._downloaded(name) for name in wanted]

    def exactly(self, packages, suite=SUITE):
        """Downloads these packages and nothing else; returns the files."""
        planned = self._apt("--print-uris", "-t", suite, "download", *packages)
        names = [line.split("'")[2].split()[0] for line in planned.splitlines() if line.startswith("'")]
        self._apt("-t", suite, "download", *packages)
        return [self._downloaded(name) for name in names]

    def _downloaded(self, name):
        for spelling in (name, name.replace("%3a", ":")):
            if (self.folder / spelling).exists():
                return self.folder / spelling
        raise Unavailable(f"{name} was not downloaded")

    def dependencies(self, package, suite):
        """The packages it depends on, first level."""
        result = subprocess.run(["apt-cache", "depends", "--no-recommends", f"{package}/{suite}"], text=True,
                                env=dict(self.environment, LC_ALL="C"), capture_output=True)
        words = [line.split() for line in result.stdout.splitlines()]
        return [word[1] for word in words if len(word) == 2 and word[0] == "Depends:"]


def unpack(files, tree, wanted=lambda name: True):
    """Unpacks packages into `tree`, whose /bin, /sbin and /lib are links into /usr, as on any Debian. Only
    names (without a leading slash) that `wanted` accepts."""
    tree = pathlib.Path(tree)
    for name in ("bin", "sbin", "lib", "lib64"):
        (tree / "usr" / name).mkdir(parents=True, exist_ok=True)
        if not (tree / name).is_symlink():
            (tree / name).symlink_to(f"usr/{name}")
    for file in files:
        dpkg = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(file)], stdout=subprocess.PIPE)
        with tarfile.open(fileobj=dpkg.stdout, mode="r|") as archive:
            for member in archive:
                _extract(archive, member, tree, wanted)
        if dpkg.wait() != 0:
            raise Unavailable(f"{file.name} cannot be unpacked")


def _extract(archive, member, tree, wanted):
    name = member.name.removeprefix("./").rstrip("/")
    path = tree / name
    if not name or not wanted(name) or (member.isdir() and path.is_dir()):
        return
    if path.is_symlink() or path.is_file():
        path.unlink()
    if member.islnk():
        target = tree / member.linkname.removeprefix("./")
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(target, path)
        return
    member.name = name
    archive.extract(member, tree, set_attrs=not member.issym())
