"""A made-up host: a directory with as much of /sys, /proc and /etc as scripts/setup-nic and
scripts/tune-host look at, a `hook` that does what the kernel does upon writes, and programs that keep
what they were called with."""
import os
import pathlib
import stat
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Upon writes: a driver lets go of a device, a device finds its driver and with it its interface.
HOOK = r'''#!/bin/sh
file=$1 value=$2 pci="$GNOMON_SYSROOT/sys/bus/pci"
case $file in
*/driver/unbind)
    rm -f "$pci/devices/$value/driver"
    mkdir -p "$GNOMON_SYSROOT/parked"
    [ ! -d "$pci/devices/$value/net" ] || mv "$pci/devices/$value/net" "$GNOMON_SYSROOT/parked/$value" ;;
*/drivers_probe)
    override=$(cat "$pci/devices/$value/driver_override")
    driver=${override:-$(cat "$pci/devices/$value/natural")}
    [ ! -e "$GNOMON_SYSROOT/refuse-$driver" ] || exit 0
    ln -s "../../drivers/$driver" "$pci/devices/$value/driver"
    [ "$driver" = vfio-pci ] || mv "$GNOMON_SYSROOT/parked/$value" "$pci/devices/$value/net" ;;
*/nr_hugepages)
    most=$(cat "$GNOMON_SYSROOT/most-pages" 2>/dev/null || echo 100000)
    [ "$value" -le "$most" ] || echo "$most" >"$GNOMON_SYSROOT$file" ;;
esac
'''

# What fake programs print: the file `answers/PROGRAM ARGUMENTS`; the exit status is 1 when `fails/…` exists.
PROGRAM = r'''#!/bin/sh
call="$(basename "$0") $*"
echo "$call" >>"$GNOMON_SYSROOT/calls"
name=$(echo "$call" | tr '/' '_')
[ ! -e "$GNOMON_SYSROOT/fails/$name" ] || { echo "no such thing" >&2; exit 1; }
[ ! -e "$GNOMON_SYSROOT/answers/$name" ] || cat "$GNOMON_SYSROOT/answers/$name"
case $call in "modprobe vfio-pci") mkdir -p "$GNOMON_SYSROOT/sys/bus/pci/drivers/vfio-pci" ;; esac
exit 0
'''


class FakeHost:
    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="gnomon-host-")
        self.root = pathlib.Path(self.directory.name)
        self.write("proc/cpuinfo", "flags : fpu constant_tsc nonstop_tsc\n")
        self.write("proc/cmdline", "quiet\n")
        self.write("sys/devices/system/cpu/online", "0-3\n")
        self.write("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n")
        self.write("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "3\n")
        self.write("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "3\n")
        self.write("sys/bus/pci/drivers_probe", "")
        self.executable("hook", HOOK)
        for program in ("ip", "ethtool", "modprobe", "update-grub"):
            self.executable(f"bin/{program}", PROGRAM)

    def close(self):
        self.directory.cleanup()

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def executable(self, path, text):
        self.write(path, text)
        (self.root / path).chmod((self.root / path).stat().st_mode | stat.S_IXUSR)

    def read(self, path):
        return (self.root / path).read_text().strip()

    def exists(self, path):
        return (self.root / path).exists()

    def link(self, path, target):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).symlink_to(target)

    def answer(self, call, text):
        self.write(f"answers/{call.replace('/', '_')}", text)

    def fail(self, call):
        self.write(f"fails/{call.replace('/', '_')}", "")

    def calls(self):
        return self.read("calls").splitlines() if self.exists("calls") else []

    def nic(self, name, pci, driver, queues=4):
        """A PCI network device with an interface of the kernel."""
        device = f"sys/bus/pci/devices/{pci}"
        self.write(f"{device}/class", "0x020000\n")
        self.write(f"{device}/driver_override", "")
        self.write(f"{device}/natural", driver)
        (self.root / f"sys/bus/pci/drivers/{driver}").mkdir(parents=True, exist_ok=True)
        self.write(f"sys/bus/pci/drivers/{driver}/unbind", "")
        self.link(f"{device}/driver", f"../../drivers/{driver}")
        self.write(f"{device}/net/{name}/placeholder", "")
        self.interface(name, queues)
        self.link(f"sys/class/net/{name}/device", f"../../../bus/pci/devices/{pci}")

    def interface(self, name, queues=1):
        self.write(f"sys/class/net/{name}/type", "1\n")
        self.write(f"sys/class/net/{name}/operstate", "up\n")
        for queue in range(queues):
            self.write(f"sys/class/net/{name}/queues/rx-{queue}/rps_cpus", "0\n")

    def iommu(self):
        self.write("sys/kernel/iommu_groups/0/type", "DMA\n")

    def driver(self, pci):
        link = self.root / f"sys/bus/pci/devices/{pci}/driver"
        return os.path.basename(os.readlink(link)) if link.is_symlink() else None

    def files(self):
        """Everything but what programs and the script wrote for themselves, to tell whether undo is exact."""
        skipped = ("calls", "parked", "answers", "fails", "sys/bus/pci/drivers_probe")
        found = {}
        for path in sorted(self.root.rglob("*")):
            name = str(path.relative_to(self.root))
            if name.startswith(skipped) or name.endswith("/unbind"):
                continue
            if path.is_symlink():
                found[name] = os.readlink(path)
            elif path.is_file():
                found[name] = path.read_text()
        return found

    def run(self, script, *arguments):
        environment = {**os.environ, "GNOMON_SYSROOT": str(self.root)}
        return subprocess.run([ROOT / "scripts" / script, *arguments], env=environment, capture_output=True,
                              text=True, timeout=30)
