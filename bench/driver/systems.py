"""systems - weft and its peers: the Debian packages that each needs, and how it is built."""
import contextlib
import fcntl
import glob
import os
import shutil
import subprocess
import sys

HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.path.join(HOME, "build", "bench-run")
REGISTRY = "/usr/share/cargo/registry"


class Failure(Exception):
    """What went wrong, in words for whoever started bench/run."""


def say(words):
    print(f"bench/run: {words}", file=sys.stderr, flush=True)


def call(command, folder=HOME):
    """Runs a step of a build; its words are shown only if it fails."""
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    if done.returncode != 0:
        print(done.stdout, file=sys.stderr)
        raise Failure(f"`{' '.join(command)}` failed; its words are above")


def build_weft():
    """The release preset, as the tests and the examples build it."""
    call(["bash", "-c", ". cmake/need.sh && build release bench_weft"])


def build_go():
    call(["go", "build", "-o", os.path.join(OUT, "go"), "."],
         os.path.join(HOME, "bench", "peers", "go"))


def build_rust():
    """From a copy, since cargo writes a file beside its own, and from Debian's crates alone."""
    source = os.path.join(OUT, "rust")
    shutil.copytree(os.path.join(HOME, "bench", "peers", "rust"), source, dirs_exist_ok=True)
    call(["cargo", "build", "--release", "--offline",
          "--manifest-path", os.path.join(source, "Cargo.toml"),
          "--target-dir", os.path.join(OUT, "cargo"),
          "--config", 'source.crates-io.replace-with="debian"',
          "--config", f'source.debian.directory="{REGISTRY}"'])


def compiler(name, source, *libraries):
    """A build of one C or C++ file into OUT/name."""
    language = ["g++", "-std=c++17"] if source.endswith(".cpp") else ["gcc", "-std=gnu11"]

    def build():
        call([*language, "-O3", "-g", "-Wall", "-Wextra", "-pthread", "-D_GNU_SOURCE", "-I", HOME,
              os.path.join("bench", source), "-o", os.path.join(OUT, name), *libraries])

    return build


class System:
    """A name in the table: a program, and the environment that makes it this variant of itself."""

    def __init__(self, name, program, build, needs, environment=None):
        self.name = name
        self.program = os.path.join(OUT, program)
        self.build = build
        self.needs = needs  # (command or file pattern, Debian package)
        self.environment = environment or {}


GCC = [("gcc", "gcc"), ("/usr/include/stdio.h", "libc6-dev")]
CXX = [("g++", "g++"), ("/usr/include/stdio.h", "libc6-dev")]
GO = [("go", "golang-go")]
RUST = [("cargo", "cargo")] + [
    (f"{REGISTRY}/{crate}-[0-9]*", f"librust-{crate}-dev")
    for crate in ("tokio", "rayon", "async-channel", "libc")]
WEFT = GCC + [("cmake", "cmake"), ("ninja", "ninja-build"),
              ("/usr/include/liburing.h", "liburing-dev"),
              ("/usr/include/ck_stack.h", "libck-dev")]
BOOST = CXX + [("/usr/include/boost/fiber/all.hpp", "libboost-fiber-dev")]

EPOLL = compiler("epoll", "peers/c/epoll.c")

SYSTEMS = {system.name: system for system in (
    System("weft", "../release/bench/bench_weft", build_weft, WEFT),
    System("go", "go", build_go, GO),
    System("go_goroutine", "go", build_go, GO, {"BENCH_POOL": "goroutine"}),
    System("tokio", "cargo/release/bench_rust", build_rust, RUST),
    System("tokio_rayon", "cargo/release/bench_rust", build_rust, RUST, {"BENCH_POOL": "rayon"}),
    System("onetbb", "onetbb", compiler("onetbb", "peers/cpp/onetbb.cpp", "-ltbb"),
           CXX + [("/usr/include/tbb/task_group.h", "libtbb-dev")]),
    System("openmp", "openmp", compiler("openmp", "peers/c/openmp.c", "-fopenmp"), GCC),
    System("boost_fiber", "boost_fiber",
           compiler("boost_fiber", "peers/cpp/boost_fiber.cpp", "-lboost_fiber", "-lboost_context"),
           BOOST),
    System("libuv", "libuv", compiler("libuv", "peers/c/libuv.c", "-luv"),
           GCC + [("/usr/include/uv.h", "libuv1-dev")]),
    System("pthread", "pthread", compiler("pthread", "peers/c/pthread.c"), GCC),
    System("epoll", "epoll", EPOLL, GCC),
    System("epoll_nice19", "epoll", EPOLL, GCC, {"BENCH_JOB_NICE": "19"}),
)}

# No systems of their own, but works need them.
LOAD = System("load", "load", compiler("load", "load.c"), GCC)
STRACE = [("strace", "strace")]


def is_there(what):
    return bool(glob.glob(what)) if what.startswith("/") else shutil.which(what) is not None


def install(needs):
    """Installs with apt-get what is missing, and says so."""
    missing = sorted({package for what, package in needs if not is_there(what)})
    if not missing:
        return
    words = " ".join(missing)
    if not shutil.which("apt-get"):
        raise Failure(f"it needs {words} (Debian's names), and there is no apt-get here: install "
                      "them this system's way, or choose fewer systems with --systems")
    if os.geteuid() == 0:
        prefix = []
    elif shutil.which("sudo"):
        prefix = ["sudo"] if sys.stderr.isatty() else ["sudo", "-n"]
    else:
        raise Failure(f"it needs {words}: as root, run: apt-get install {words}; or choose fewer "
                      "systems: --systems")
    say(f"installing with apt-get: {words}")
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o",
           "DPkg::Lock::Timeout=120"]
    call([*apt, "update"])
    call([*apt, "install", "-y", "--no-install-recommends", *missing])
    still = sorted({package for what, package in needs if not is_there(what)})
    if still:
        raise Failure(f"apt-get has installed {' '.join(still)}, but what they should bring is not "
                      "there")


def prepare(names, kinds):
    """Installs what the systems and the kinds of works need, and builds each program once."""
    chosen = [SYSTEMS[name] for name in names]
    if kinds & {"echo", "mixed"}:
        chosen.append(LOAD)
    needs = [need for system in chosen for need in system.needs]
    install(needs + (STRACE if "idle" in kinds else []))
    os.makedirs(OUT, exist_ok=True)
    with open(os.path.join(OUT, ".lock"), "w", encoding="ascii") as lock:
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        built = set()
        for system in chosen:
            if system.program not in built:
                say(f"building {os.path.relpath(system.program, HOME)}")
                system.build()
                built.add(system.program)
