"""runtime.md of the OCI runtime-spec: each MUST that no other test has. The docstring is the sentence."""
import json
import os

from bundles import Bundle, need_root, wait_until
from cases import check, equal, is_alive, main


def running(bundle):
    equal((bundle.create(), bundle.errors()), (0, ""))
    equal(bundle.call("start", bundle.id).stderr, "")
    return bundle


def hooked(folder, **hooks):
    """Each hook appends its kind to the file "log" of the folder, and exits with its value."""
    bundle = Bundle(folder, "echo program >> /tmp/log; exec sleep 100")
    for kind, code in hooks.items():
        log = "/tmp/log" if kind == "startContainer" else f"{folder}/rootfs/tmp/log"
        bundle.config.setdefault("hooks", {})[kind] = [{"path": "/bin/sh", "args": ["sh", "-c", f"echo {kind} >> {log}; exit {code}"]}]
    return bundle


def log_of(folder):
    path = f"{folder}/rootfs/tmp/log"
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return file.read().split()


def test_an_operation_works_on_the_container_that_it_created(folder):
    """runtime.md#scope-of-a-container: The entity using a runtime to create a container MUST be able to use the operations defined in this specification against that same container."""
    need_root()
    with running(Bundle(folder, "sleep 100")) as bundle:
        for words in (("state", bundle.id), ("kill", bundle.id, "KILL")):
            equal(bundle.call(*words).stderr, "")
        wait_until(lambda: bundle.state()["status"] == "stopped")
        equal(bundle.call("delete", bundle.id).stderr, "")


def test_state_has_its_properties(folder):
    """runtime.md#state: ociVersion (string, REQUIRED), id (string, REQUIRED), status (string, REQUIRED), pid (int, REQUIRED when status is created or running on Linux), bundle (string, REQUIRED).
    runtime.md#state: When serialized in JSON, the format MUST adhere to the JSON Schema schema/state-schema.json.
    runtime.md#query-state: This operation MUST return the state of a container as specified in the State section."""
    need_root()
    bundle = Bundle(folder, "sleep 100")
    bundle.config["annotations"] = {"some.key": "value"}
    with bundle:
        equal(bundle.create(), 0)
        state = bundle.state()
        equal((state["ociVersion"], state["id"], state["status"], state["bundle"], state["annotations"]),
              (bundle.config["ociVersion"], bundle.id, "created", folder, {"some.key": "value"}))
        check(isinstance(state["pid"], int) and is_alive(state["pid"]), state)
        bundle.call("start", bundle.id)
        equal(bundle.state()["status"], "running")


def test_operations_without_an_id(folder):
    """runtime.md#query-state: This operation MUST generate an error if it is not provided the ID of a container.
    runtime.md#create: This operation MUST generate an error if it is not provided a path to the bundle and the container ID to associate with the container.
    runtime.md#start: This operation MUST generate an error if it is not provided the container ID.
    runtime.md#kill: This operation MUST generate an error if it is not provided the container ID.
    runtime.md#delete: This operation MUST generate an error if it is not provided the container ID."""
    bundle = Bundle(folder)
    bundle.save()
    for verb in ("state", "start", "kill", "delete", "create"):
        check(bundle.call(verb).returncode == 1, verb)
    check(bundle.call("create", bundle.id, cwd="/").returncode == 1, "a bundle was found")
    equal(os.listdir(bundle.root), [])


def test_query_of_no_container(folder):
    """runtime.md#query-state: Attempting to query a container that does not exist MUST generate an error."""
    result = Bundle(folder).call("state", "none")
    check(result.returncode == 1 and "does not exist" in result.stderr, result.stderr)


def test_create_makes_everything_but_the_program(folder):
    """runtime.md#lifecycle: While the resources requested in the config.json MUST be created, the user-specified program (from process) MUST NOT be run at this time.
    runtime.md#lifecycle: The container's runtime environment MUST be created according to the configuration in config.json.
    runtime.md#create: process.args MUST NOT be applied until triggered by the start operation.
    runtime.md#create: This operation MUST create a new container.
    runtime.md#start: This operation MUST run the user-specified program as specified by process.
    runtime.md#lifecycle: The runtime MUST run the user-specified program, as specified by process."""
    need_root()
    with Bundle(folder, "echo ran; exec sleep 100") as bundle:
        bundle.config["hostname"] = "made"
        equal(bundle.create(), 0)
        pid = bundle.state()["pid"]
        check(os.readlink(f"/proc/{pid}/ns/uts") != os.readlink("/proc/self/ns/uts"), "it has no UTS namespace")
        equal(bundle.printed(), "")
        bundle.call("start", bundle.id)
        wait_until(lambda: bundle.printed() == "ran\n")


def test_create_that_cannot_apply_a_property(folder):
    """runtime.md#create: If the runtime cannot apply a property as specified in the configuration, it MUST generate an error and a new container MUST NOT be created.
    runtime.md#lifecycle: If the runtime is unable to create the environment specified in the config.json, it MUST generate an error.
    runtime.md#errors: Unless otherwise stated, generating an error MUST leave the state of the environment as if the operation were never attempted."""
    need_root()
    bundle = Bundle(folder)
    bundle.config["mounts"].append({"destination": "/data", "type": "bind", "source": f"{folder}/nothing", "options": ["bind"]})
    before = sorted(os.listdir(f"{folder}/rootfs"))
    bundle.refused("/nothing", "No such file")
    equal(sorted(os.listdir(f"{folder}/rootfs")), before)


def test_id_that_is_taken(folder):
    """runtime.md#state: id MUST be unique across all containers on this host.
    runtime.md#create: If the ID provided is not unique across all containers within the scope of the runtime, or is not valid in any other way, the implementation MUST generate an error and a new container MUST NOT be created."""
    need_root()
    with Bundle(folder, "sleep 100") as bundle:
        equal(bundle.create(), 0)
        pid = bundle.state()["pid"]
        equal(bundle.create(), 1)
        check("exists already" in bundle.errors(), bundle.errors())
        equal((bundle.state()["status"], bundle.state()["pid"]), ("created", pid))


def test_config_changed_after_create(folder):
    """runtime.md#lifecycle: Any updates to config.json after this step MUST NOT affect the container."""
    need_root()
    with Bundle(folder, "echo first; exec sleep 100") as bundle:
        equal(bundle.create(), 0)
        with open(f"{folder}/config.json", "w") as file:
            file.write("{")
        bundle.call("start", bundle.id)
        wait_until(lambda: bundle.printed() == "first\n")
        equal(bundle.call("exec", bundle.id, "echo", "inside").stdout, "inside\n")


def test_hooks_in_their_order(folder):
    """runtime.md#lifecycle: The prestart hooks MUST be invoked by the runtime.
    runtime.md#lifecycle: The createRuntime hooks MUST be invoked by the runtime.
    runtime.md#lifecycle: The createContainer hooks MUST be invoked by the runtime.
    runtime.md#lifecycle: The startContainer hooks MUST be invoked by the runtime.
    runtime.md#lifecycle: The poststart hooks MUST be invoked by the runtime.
    runtime.md#lifecycle: The poststop hooks MUST be invoked by the runtime.
    config.md#posix-platform-hooks: Hooks MUST be called in the listed order.
    config.md#prestart: The prestart hooks MUST be called before the createRuntime hooks.
    config.md#createcontainer-hooks: The createContainer hooks MUST be called after the createRuntime hooks.
    config.md#startcontainer-hooks: The startContainer hooks MUST be called before the user-specified process is executed as part of the start operation.
    config.md#poststart: The poststart hooks MUST be called after the user-specified process is executed but before the start operation returns.
    config.md#poststop: The poststop hooks MUST be called after the container is deleted but before the delete operation returns."""
    need_root()
    with hooked(folder, prestart=0, createRuntime=0, createContainer=0, startContainer=0, poststart=0, poststop=0) as bundle:
        equal(bundle.create(), 0)
        equal(log_of(folder), ["prestart", "createRuntime", "createContainer"])
        equal(bundle.call("start", bundle.id).stderr, "")
        check("poststart" in log_of(folder), log_of(folder))
        wait_until(lambda: "program" in log_of(folder))
        equal(log_of(folder)[3], "startContainer")
        bundle.call("kill", bundle.id, "KILL")
        wait_until(lambda: bundle.state()["status"] == "stopped")
        equal(bundle.call("delete", bundle.id).stderr, "")
        equal(log_of(folder)[-1], "poststop")


def test_create_hook_that_fails(folder):
    """runtime.md#lifecycle: If any prestart hook fails, the runtime MUST generate an error, stop the container, and continue the lifecycle at step 12.
    runtime.md#lifecycle: If any createRuntime hook fails, the runtime MUST generate an error, stop the container, and continue the lifecycle at step 12.
    runtime.md#lifecycle: If any createContainer hook fails, the runtime MUST generate an error, stop the container, and continue the lifecycle at step 12."""
    need_root()
    for kind in ("prestart", "createRuntime", "createContainer"):
        bundle = hooked(folder, **{kind: 3, "poststop": 0})
        bundle.refused(f"error running {kind} hook #0: ", "exited with 3")
        equal(log_of(folder), [kind, "poststop"])
        os.unlink(f"{folder}/rootfs/tmp/log")


def test_start_hook_that_fails(folder):
    """runtime.md#lifecycle: If any startContainer hook fails, the runtime MUST generate an error, stop the container, and continue the lifecycle at step 12."""
    need_root()
    with hooked(folder, startContainer=4, poststart=0, poststop=0) as bundle:
        bundle.config["hooks"]["startContainer"][0]["args"][2] = "echo said >&2; " + bundle.config["hooks"]["startContainer"][0]["args"][2]
        equal((bundle.create(), bundle.errors()), (0, ""))
        pid = bundle.state()["pid"]
        result = bundle.call("start", bundle.id)
        check(result.returncode == 1 and "error running startContainer hook #0: it exited with 4: said" in result.stderr, result.stderr)
        check(not is_alive(pid) and bundle.nothing_left(), "something is left")
        equal(log_of(folder), ["startContainer", "poststop"])


def test_poststart_hook_that_fails(folder):
    """runtime.md#lifecycle: If any poststart hook fails, the runtime MUST generate an error, stop the container, and continue the lifecycle at step 12."""
    need_root()
    with hooked(folder, poststart=1, poststop=0) as bundle:
        equal(bundle.create(), 0)
        pid = bundle.state()["pid"]
        result = bundle.call("start", bundle.id)
        check(result.returncode == 1 and "poststart" in result.stderr, result.stderr)
        check(not is_alive(pid) and bundle.nothing_left(), "something is left")
        equal(log_of(folder)[-1], "poststop")


def test_poststop_hook_that_fails(folder):
    """runtime.md#lifecycle: If any poststop hook fails, the runtime MUST log a warning, but the remaining hooks and lifecycle continue as if the hook had succeeded.
    runtime.md#warnings: Unless otherwise stated, logging a warning does not change the flow of the operation; it MUST continue as if the warning had not been logged."""
    need_root()
    with hooked(folder, poststop=1) as bundle:
        bundle.config["hooks"]["poststop"].append({"path": "/bin/sh", "args": ["sh", "-c", f"echo second >> {folder}/rootfs/tmp/log"]})
        equal(bundle.create(), 0)
        result = bundle.call("delete", "--force", bundle.id)
        check(result.returncode == 0 and "poststop" in result.stderr, result.stderr)
        equal(log_of(folder), ["poststop", "second"])
        check(bundle.nothing_left(), "something is left")


def test_start_of_what_is_not_created(folder):
    """runtime.md#start: Attempting to start a container that is not created MUST have no effect on the container and MUST generate an error."""
    need_root()
    with running(Bundle(folder, "echo once; exec sleep 100")) as bundle:
        pid = bundle.state()["pid"]
        check("it is running" in bundle.call("start", bundle.id).stderr)
        equal((bundle.state()["status"], bundle.state()["pid"]), ("running", pid))
        check(bundle.call("start", "none").returncode == 1)


def test_kill_of_what_is_stopped(folder):
    """runtime.md#kill: Attempting to send a signal to a container that is neither created nor running MUST have no effect on the container and MUST generate an error."""
    need_root()
    with running(Bundle(folder, "true")) as bundle:
        wait_until(lambda: bundle.state()["status"] == "stopped")
        check("container not running" in bundle.call("kill", bundle.id).stderr)
        equal(bundle.state()["status"], "stopped")


def test_kill_of_what_is_created_or_runs(folder):
    """runtime.md#kill: This operation MUST send the specified signal to the container process."""
    need_root()
    with Bundle(folder, "sleep 100") as bundle:
        equal(bundle.create(), 0)
        equal(bundle.call("kill", bundle.id, "KILL").stderr, "")
        wait_until(lambda: bundle.state()["status"] == "stopped")
    with running(Bundle(folder, "trap 'echo got; exit' USR1; echo ready; while :; do sleep 0.05; done")) as bundle:
        wait_until(lambda: bundle.printed() == "ready\n")
        equal(bundle.call("kill", bundle.id, "USR1").stderr, "")
        wait_until(lambda: bundle.printed() == "ready\ngot\n")


def test_delete_of_what_runs(folder):
    """runtime.md#delete: Attempting to delete a container that is not stopped MUST have no effect on the container and MUST generate an error."""
    need_root()
    with running(Bundle(folder, "sleep 100")) as bundle:
        result = bundle.call("delete", bundle.id)
        check(result.returncode == 1 and "not stopped" in result.stderr, result.stderr)
        equal(bundle.state()["status"], "running")


def test_delete_removes_what_create_made(folder):
    """runtime.md#delete: Deleting a container MUST delete the resources that were created during the create step.
    runtime.md#delete: Note that resources associated with the container, but not created by this container, MUST NOT be deleted.
    runtime.md#lifecycle: The container MUST be destroyed by undoing the steps performed during create phase (step 2)."""
    need_root()
    with open("/proc/self/mountinfo") as file:
        mounts_before = len(file.readlines())
    os.makedirs(f"{folder}/volume/kept")
    bundle = Bundle(folder, "true")
    bundle.config["mounts"].append({"destination": "/v", "type": "bind", "source": f"{folder}/volume", "options": ["rbind"]})
    with running(bundle):
        wait_until(lambda: bundle.state()["status"] == "stopped")
        equal(bundle.call("delete", bundle.id).stderr, "")
        check(bundle.nothing_left(), "something is left")
        check(os.path.exists(f"{folder}/volume/kept") and os.path.exists(f"{folder}/rootfs/bin/sh"))
        with open("/proc/self/mountinfo") as file:
            check(len([line for line in file if folder in line]) == 0, mounts_before)


def test_the_name_of_a_deleted_container_is_free(folder):
    """runtime.md#delete: Once a container is deleted its ID MAY be used by a subsequent container."""
    need_root()
    with Bundle(folder, "sleep 100") as bundle:
        for _ in range(2):
            equal((bundle.create(), bundle.errors()), (0, ""))
            equal(bundle.call("delete", "--force", bundle.id).stderr, "")


def test_links_of_dev(folder):
    """runtime-linux.md#dev-symbolic-links: While creating the container, runtimes MUST create the following symlinks if the source file exists after processing mounts: /dev/fd, /dev/stdin, /dev/stdout, /dev/stderr."""
    need_root()
    script = "for name in fd stdin stdout stderr; do readlink /dev/$name; done"
    equal(Bundle(folder, script).output().split(), ["/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2"])


def test_standard_streams_and_descriptors(folder):
    """runtime-linux.md#file-descriptors: By default, only the stdin, stdout and stderr file descriptors are kept open for the application by the runtime."""
    need_root()
    equal(Bundle(folder, "ls /proc/self/fd | grep -c '^[0-9]'").output(), "4\n")  # ls has the directory open


def test_state_of_the_hooks(folder):
    """config.md#posix-platform-hooks: The state of the container MUST be passed to hooks over stdin so that they may do work appropriate to the current state of the container."""
    need_root()
    bundle = Bundle(folder, "sleep 100")
    kinds = {"prestart": "created", "createRuntime": "created", "createContainer": "created", "poststart": "running", "poststop": "stopped"}
    bundle.config["hooks"] = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", f"cat > {folder}/{kind}"]}] for kind in kinds}
    with running(bundle):
        pid = bundle.state()["pid"]
        equal(bundle.call("delete", "--force", bundle.id).stderr, "")
        for kind, status in kinds.items():
            with open(f"{folder}/{kind}") as file:
                state = json.load(file)
            equal((state["id"], state["status"], state["bundle"], state["ociVersion"]), (bundle.id, status, folder, bundle.config["ociVersion"]))
            check(kind == "poststop" or state["pid"] == pid, f"{kind}: {state}")


if __name__ == "__main__":
    main(globals())
