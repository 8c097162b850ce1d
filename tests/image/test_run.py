"""What an image says happens: its files, layers, environment, user and program; and the store that runs share."""
import os
import signal
import subprocess

from cases import check, equal, main, refused
from image_cases import Store, both_users, need, wait_until
from images import COMPRESSIONS, Layout, busybox_layer, directory, docker_archive, entry, layer


def simple(folder, name="image", **options):
    layout = Layout()
    layout.image([busybox_layer()], **options)
    return layout.write(os.path.join(folder, name))


def test_layout_runs(folder):
    image = simple(folder, config={"Cmd": ["echo", "hello"]})
    for store in both_users(folder):
        store.prints("hello\n", image)
        store.prints("typed\n", image, "--", "echo", "typed")
        store.is_clean()


def test_every_compression(folder):
    need("zstd")
    for compression in COMPRESSIONS:
        layout = Layout()
        layout.image([busybox_layer(), layer(entry("how", compression.encode()))], compression=compression)
        image = layout.write(os.path.join(folder, "image" + compression))
        for store in both_users(folder):
            store.prints(compression, image, "cat", "/how")


def test_archives(folder):
    layers = [busybox_layer(), layer(entry("hello", b"hi\n")), layer(entry("last", b"x")), layer(entry("hello", b"hi\n"))]
    layout = Layout()
    layout.image(layers, tag="one")
    archive = layout.write_archive(os.path.join(folder, "image.tar"))
    docker = docker_archive(os.path.join(folder, "docker.tar"), layers, tags=("example.org/box:latest", "example.org/box:7"))
    for store in both_users(folder):
        for image in (archive, archive + ":one", docker, docker + ":box:7", docker + ":example.org/box"):
            store.prints("hi\n", image, "cat", "/hello")
        equal(len(store.layers()), 3)
        refused(store.run(docker + ":other"), "box:7")
        refused(store.run(archive + ":two"), "has no tag two", "one")


def test_compressed_archive(folder):
    need("gzip")
    docker_archive(os.path.join(folder, "image.tar"), [busybox_layer()])
    subprocess.run(["gzip", os.path.join(folder, "image.tar")], check=True)
    Store(folder).prints("", f"docker-archive:{folder}/image.tar.gz", "test", "-e", "/bin/busybox")


def test_upper_layers_win(folder):
    layout = Layout()
    layout.image([
        busybox_layer(),
        layer(entry("kept", b"1"), entry("changed", b"1"), entry("deleted", b"1"), directory("filled"), entry("filled/old", b"1"),
              directory("emptied"), entry("emptied/old", b"1"), directory("gone"), entry("gone/old", b"1")),
        layer(entry("changed", b"2"), entry(".wh.deleted"), entry("filled/new", b"2"), directory("emptied"),
              entry("emptied/new", b"2"), entry("emptied/.wh..wh..opq"), entry(".wh.gone"), entry(".wh..wh.plnk", b"aufs")),
        layer(directory("gone"), entry("gone/back", b"3")),
    ])
    image = layout.write(os.path.join(folder, "image"))
    script = "cat /kept /changed; test -e /deleted && echo deleted; ls -a /filled /emptied /gone; ls -a / | busybox grep wh"
    expected = "12/emptied:\n.\n..\nnew\n\n/filled:\n.\n..\nnew\nold\n\n/gone:\n.\n..\nback\n"
    for store in both_users(folder):
        result = store.run(image, "sh", "-c", script)
        equal(result.stdout, expected)
        # A second run sees the same, through layers that are there already.
        equal(store.run(image, "sh", "-c", script).stdout, expected)
        store.prints("ok", image, "sh", "-c", "rm -r /filled /gone && echo -n ok")
        equal(store.run(image, "sh", "-c", script).stdout, expected)


def test_single_layer_shows_no_markers(folder):
    layout = Layout()
    layout.image([busybox_layer(entry(".wh.nothing"))])
    Store(folder).prints("", layout.write(os.path.join(folder, "image")), "sh", "-c", "ls -a / | busybox grep wh || true")


def test_config(folder):
    config = {"Env": ["GREETING=hello world", "PATH=/bin"], "WorkingDir": "/srv/new", "Cmd": ["sh", "-c", "echo $GREETING; pwd; echo $HOME"]}
    image = simple(folder, config=config)
    for store in both_users(folder):
        store.prints("hello world\n/srv/new\n/root\n", image)
        store.prints("other\n/tmp\n/root\n", image, "-e", "GREETING=other", "-w", "/tmp")


def test_caller_environment_stays_outside(folder):
    image = simple(folder)
    os.environ["SECRET_OF_CALLER"] = "1"
    store = Store(folder)
    result = store.run(image, "env")
    equal(sorted(line.split("=")[0] for line in result.stdout.splitlines() if not line.startswith("SHLVL")), ["HOME", "PATH"])


def test_entrypoint(folder):
    image = simple(folder, config={"Entrypoint": ["echo", "entry"], "Cmd": ["command"]})
    store = Store(folder)
    store.prints("entry command\n", image)
    store.prints("entry typed\n", image, "--", "typed")
    store.prints("x\n", image, "--entrypoint", "echo", "--", "x")
    store.prints("\n", image, "--entrypoint", "echo")
    store.prints("typed\n", image, "--entrypoint", "", "--", "echo", "typed")
    refused(store.run(image, "--entrypoint", ""), "no program")
    refused(store.sandbox("run", "--entrypoint", "sh", "--", "x"), "--image")


def test_user_of_image(folder):
    image = simple(folder, config={"User": "fred", "Cmd": ["id"]})
    store = Store(folder)
    result = store.run(image)
    check("uid=1000(fred) gid=1001(fred)" in result.stdout, result.stdout + result.stderr)
    store.prints("0\n", image, "-u", "0", "id", "-u")
    refused(store.run(image, "-u", "nobody_known"), "the image's /etc/passwd has no such user")


def test_user_hidden_by_whiteout(folder):
    layout = Layout()
    layout.image([busybox_layer(), layer(entry("etc/.wh.passwd"))], config={"User": "fred"})
    refused(Store(folder).run(layout.write(os.path.join(folder, "image"))), "has no such user")


def test_platforms(folder):
    layout = Layout()
    layout.image([layer(entry("arm", b""))], platform=("linux", "arm64"))
    layout.image([busybox_layer()])
    for descriptor, architecture in zip(layout.index["manifests"], ("arm64", "amd64")):
        descriptor["platform"] = {"os": "linux", "architecture": architecture}
    nested = layout.add_json({"schemaVersion": 2, "manifests": layout.index["manifests"]}, "application/vnd.oci.image.index.v1+json")
    nested["annotations"] = {"org.opencontainers.image.ref.name": "multi"}
    layout.index["manifests"] = [nested]
    store = Store(folder)
    store.prints("", layout.write(os.path.join(folder, "image")), "test", "!", "-e", "/arm")

    only_arm = Layout()
    only_arm.image([busybox_layer()], platform=("linux", "arm64"))
    refused(store.run(only_arm.write(os.path.join(folder, "arm"))), "arm64", "linux/amd64")


def test_tags(folder):
    store = Store(folder)
    layout = Layout()
    for tag in ("one", "two"):
        layout.image([busybox_layer(), layer(entry("tag", tag.encode()))], tag=tag)
    image = layout.write(os.path.join(folder, "with:colon"))
    store.prints("two", image + ":two", "cat", "/tag")
    refused(store.run(image), "several images", "one, two")
    refused(store.run(image + ":three"), "has no tag three", "one, two")
    refused(store.run(Layout().write(os.path.join(folder, "empty"))), "no image")
    os.mkdir(os.path.join(folder, "nothing"))
    refused(store.run(f"oci:{folder}/nothing"), "no index.json")
    refused(store.run(f"oci:{folder}/missing"), "ENOENT")
    refused(store.run("debian"), "oci:")
    refused(store.run(image + ":one", "--rootfs", "/"), "contradict")
    refused(store.run(image + ":one", "--overlay", "none"), "contradict")


def test_changes_are_kept_apart(folder):
    image = simple(folder)
    for store in both_users(folder):
        kept = os.path.join(store.data, "kept")
        result = store.run(image, "--keep", kept, "--", "sh", "-c", "echo mine > /home/new; rm /etc/group")
        check(result.returncode == 0 and "--overlay" in result.stderr, result.stderr)
        store.prints("mine\n", image, "--overlay", kept, "--", "sh", "-c", "cat /home/new; test ! -e /etc/group")
        store.prints("", image, "--", "sh", "-c", "test ! -e /home/new && test -e /etc/group")
        result = store.run(image, "--read-only", "--", "touch", "/new")
        check(result.returncode == 1 and "Read-only" in result.stderr, result.stderr)


def test_runs_at_once(folder):
    image = simple(folder, config={"Cmd": ["echo", "hello"]})
    for store in both_users(folder):
        runs = [subprocess.Popen([store.command, "run", "--image", image], stdout=subprocess.PIPE, text=True, **store.popen_options())
                for _ in range(6)]
        equal([run.communicate(timeout=100)[0] for run in runs], ["hello\n"] * 6)
        equal(len(store.layers()), 1)
        store.is_clean()


def test_killed_unpack(folder):
    content = os.urandom(1 << 20)
    layout = Layout()
    layout.image([busybox_layer(), layer(*(entry(f"file{number}", content) for number in range(100)))], compression="")
    image = layout.write(os.path.join(folder, "image"))
    store = Store(folder)
    unpacking = os.path.join(store.path, "unpacking")
    run = subprocess.Popen([store.command, "run", "--image", image, "true"], **store.popen_options())
    # Of the second layer: the first has no file of that name.
    wait_until(lambda: run.poll() is not None or any("file3" in names for _, _, names in os.walk(unpacking)), "nothing was unpacked")
    run.send_signal(signal.SIGKILL)
    if run.wait() == -signal.SIGKILL:
        check(len(store.layers()) < 2, "a layer that was not complete has its name")
    store.prints("100\n", image, "sh", "-c", "ls / | busybox grep -c file")
    store.is_clean()


def test_store_is_managed(folder):
    store = Store(folder)
    shared = busybox_layer()
    images = []
    for name in ("one", "two"):
        layout = Layout()
        layout.image([shared, layer(entry("name", name.encode()))])
        images.append(layout.write(os.path.join(folder, name)))
        store.prints(name, images[-1], "cat", "/name")
    equal(len(store.layers()), 3)
    listed = store.sandbox("image", "ls").stdout
    check(all(image in listed for image in images), listed)
    check("freed" in store.sandbox("image", "rm", images[0]).stdout)
    equal(len(store.layers()), 2)
    refused(store.sandbox("image", "rm", images[0]), "sandbox image ls")
    # What runs keeps its layers.
    run = subprocess.Popen([store.command, "run", "--image", images[1], "--", "sh", "-c", "echo; read line; cat /name"],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **store.popen_options())
    equal(run.stdout.readline(), "\n")
    store.sandbox("image", "prune")
    equal(len(store.layers()), 2)
    equal(run.communicate("go\n", timeout=60)[0], "two")
    store.sandbox("image", "prune")
    equal(store.layers(), [])


if __name__ == "__main__":
    main(globals())
