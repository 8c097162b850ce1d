"""A real Debian in an image: apt-get and dpkg, and services that change their user, for an ordinary user with one id, root and podman."""
import fcntl
import os
import socket
import subprocess
import time
import urllib.request

from cases import Skip, check, equal, main
from image_cases import NOBODY, Store, need, wait_until
from images import Layout
from podman_engine import Podman

SUITE = "bookworm"
PLACE = os.path.join(os.environ.get("SANDBOX_TEST_CACHE", "/var/tmp"), f"sandbox-test-{SUITE}.tar")


def make_debian_tar():
    is_fresh = os.path.exists(PLACE) and os.stat(PLACE).st_uid == 0 and time.time() - os.stat(PLACE).st_mtime < 24 * 60 * 60
    if is_fresh:
        return
    draft = f"{PLACE}.{os.getpid()}"
    made = subprocess.run(["mmdebstrap", "--variant=apt", "--quiet", "--format=tar", SUITE, draft], capture_output=True, text=True, timeout=280)
    if made.returncode != 0:
        raise Skip("mmdebstrap cannot make a Debian here: " + made.stderr[-300:])
    os.rename(draft, PLACE)


def debian_tar():
    """Made once for all cases of this machine; a day old at most."""
    need("mmdebstrap")
    if os.geteuid() != 0:
        raise Skip("mmdebstrap needs root to be quick")
    # Cases run at once, and one of them makes it.
    lock = os.open(PLACE + ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make_debian_tar()
    finally:
        os.close(lock)
    with open(PLACE, "rb") as file:
        return file.read()


def debian(folder, **config):
    layout = Layout()
    layout.image([debian_tar()], compression="", config={"Cmd": ["bash"], **config})
    return layout.write(os.path.join(folder, "debian"))


def need_mirror(result):
    said = result.stdout + result.stderr
    if "Temporary failure resolving" in said or "Could not connect" in said:
        raise Skip("Debian's mirror cannot be reached")


def install(store, image, *packages):
    """The options of runs that see the packages."""
    kept = os.path.join(store.data, "kept")
    script = f"apt-get -q update && apt-get -q install -y --no-install-recommends {' '.join(packages)}"
    result = store.run(image, "--net", "host", "--keep", kept, "--", "sh", "-c", script, timeout=280)
    need_mirror(result)
    check(result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:])
    check("W: " not in result.stderr and "E: " not in result.stderr, result.stderr)
    return ["--overlay", kept]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_debian_files_have_their_owners(folder):
    store, image = Store(folder, NOBODY), debian(folder)
    with subprocess.Popen(["tar", "--numeric-owner", "-tvf", PLACE], stdout=subprocess.PIPE, text=True) as listing:
        wanted = {}
        for line in listing.stdout:
            mode, owner, rest = line.split(None, 2)
            if mode[0] in "-d":
                wanted[rest.split(None, 3)[3].rstrip("\n").rstrip("/").lstrip(".")] = (mode, owner.replace("/", ":"))
    script = "find / -xdev \\( -type f -o -type d \\) -printf '%M %U:%G %p\\n'"
    result = store.run(image, "--", "sh", "-c", script)
    found = {}
    for line in result.stdout.splitlines():
        mode, owner, path = line.split(" ", 2)
        found[path] = (mode, owner)
    outside = ("/dev", "/proc", "/sys")
    wrong = [(path, expected, found.get(path)) for path, expected in wanted.items()
             if path and not path.startswith(outside) and found.get(path) != expected and " link to " not in path]
    equal(wrong[:5], [])
    check(len(wanted) > 3000 and ("-rwsr-xr-x", "0:0") in found.values() and any(owner != "0:0" for _, owner in found.values()), "nothing was compared")


def check_packages(run):
    script = ("stat -c '%U:%G %a' /var/lib/redis /etc/redis/redis.conf /usr/bin/crontab; dpkg --verify; id -un redis; python3 -c 'print(6 * 7)'; "
              "su redis -s /bin/sh -c 'id -un; touch /var/lib/redis/mine; cat /etc/shadow 2>&1'; stat -c %U /var/lib/redis/mine; "
              "apt-get -q remove -y cron > /dev/null 2>&1; test -e /usr/bin/crontab || echo gone; getent hosts localhost > /dev/null && echo named")
    equal(run("sh", "-c", script), "redis:redis 750\nredis:redis 640\nroot:crontab 2755\nredis\n42\nredis\ncat: /etc/shadow: Permission denied\n"
          "redis\ngone\nnamed\n")


def check_redis(run):
    server = "redis-server --save '' --dir /var/lib/redis --unixsocket /tmp/socket --unixsocketperm 700 --daemonize yes > /dev/null; "
    client = ("until redis-cli -s /tmp/socket ping > /dev/null 2>&1; do sleep 0.1; done; redis-cli -s /tmp/socket set key value; "
              "redis-cli -s /tmp/socket get key; stat -c '%U %a' /tmp/socket; redis-cli -s /tmp/socket shutdown")
    equal(run("sh", "-c", server + client, user="redis"), "OK\nvalue\nredis 700\n")


def check_nginx(store, image, options):
    """On the host's network, with workers that are another user's."""
    port = free_port()
    script = (f"sed -i 's/listen 80 default_server/listen 127.0.0.1:{port}/; /listen \\[::\\]/d' /etc/nginx/sites-enabled/default; "
              "echo from inside > /var/www/html/page; exec nginx -g 'daemon off;'")
    server = subprocess.Popen([store.command, "run", "--image", image, "--net", "host", *options, "--", "sh", "-c", script],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **store.popen_options())
    page = []

    def answers():
        try:
            page.append(urllib.request.urlopen(f"http://127.0.0.1:{port}/page", timeout=10).read())
        except OSError:
            check(server.poll() is None, server.stdout.read() if server.poll() is not None else "")
        return bool(page)
    try:
        wait_until(answers, "nginx does not answer")
        equal(page[0], b"from inside\n")
    finally:
        server.terminate()
        server.communicate(timeout=60)


def check_postgres(store, run):
    """A volume survives an orderly end, and a server that is killed."""
    volume = os.path.join(store.data, "volume")
    os.mkdir(volume)
    if store.identity:
        os.chown(volume, NOBODY, NOBODY)
    tool = "/usr/lib/postgresql/15/bin"
    make = f"chown postgres: /data; su postgres -c '{tool}/initdb -D /data > /dev/null && mkdir /data/log'; stat -c '%U %a' /data"

    def query(text, end):
        # pg_ctl takes what a killed server left for a server that is ready.
        ready = f"until {tool}/pg_isready -q; do sleep 0.1; done"
        script = f"su postgres -c '{tool}/pg_ctl -D /data -l /data/log/text start > /dev/null; {ready}; psql -qAtc \"{text}\"'; {end}"
        return run("sh", "-c", script, options=["--bind", f"{volume}:/data"])
    equal(run("sh", "-c", make, options=["--bind", f"{volume}:/data"]), "postgres 700\n")
    stop = f"su postgres -c '{tool}/pg_ctl -D /data -m fast -w stop > /dev/null'"
    equal(query("create table numbers as select generate_series(1, 1000) as n; select sum(n) from numbers", stop), "500500\n")
    equal(query("insert into numbers values (1); select sum(n) from numbers", "kill -9 $(head -1 /data/postmaster.pid)"), "500501\n")
    equal(query("select sum(n) from numbers; select current_user", stop), "500501\npostgres\n")


def test_debian_with_services(folder):
    """All in one case: the packages are fetched and installed once."""
    store, image = Store(folder, NOBODY), debian(folder, Env=["DEBIAN_FRONTEND=noninteractive"])
    kept = install(store, image, "redis-server", "python3-minimal", "cron", "nginx-light", "postgresql")

    def run(*words, user="0", options=()):
        result = store.run(image, *kept, *options, "-u", user, "--", *words)
        check(result.returncode == 0, result.stdout + result.stderr)
        return result.stdout
    check_packages(run)
    check_redis(run)
    check_nginx(store, image, kept)
    check_postgres(store, run)


def test_debian_as_root(folder):
    """Where the host has all ids, the kernel keeps them."""
    if os.geteuid() != 0:
        raise Skip("needs root")
    store = Store(folder)
    image = debian(folder, Env=["DEBIAN_FRONTEND=noninteractive"])
    kept = install(store, image, "redis-server")
    result = store.run(image, *kept, "-u", "redis", "--", "sh", "-c", "id -un; stat -c '%U %a' /var/lib/redis; touch /var/lib/redis/x && stat -c %U /var/lib/redis/x; touch /x || echo no")
    equal(result.stdout, "redis\nredis 750\nredis\nno\n")


def test_debian_in_podman(folder):
    podman = Podman()
    debian_tar()
    imported = podman("import", PLACE, "debian")
    check(imported.returncode == 0, imported.stderr)
    script = ("exec 2>&1; apt-get -q update > /tmp/log && apt-get -q install -y --no-install-recommends redis-server >> /tmp/log 2>&1 || cat /tmp/log; "
              "stat -c '%U %a' /var/lib/redis; dpkg --verify redis-server; su redis -s /bin/sh -c 'id -un'")
    result = podman("run", "--rm", "--network", "host", "-e", "DEBIAN_FRONTEND=noninteractive", "debian", "sh", "-c", script)
    need_mirror(result)
    equal(result.stdout, "redis 750\nredis\n")


if __name__ == "__main__":
    main(globals())
