# Completion of sandbox(1) for bash.

_sandbox_program_index() {
  # Index of the first word of the program after `run`, or the number of words when it is not there yet.
  local index=2
  while ((index < COMP_CWORD)); do
    case ${COMP_WORDS[index]} in
      --) echo $((index + 1)) && return ;;
      --image | --entrypoint | --rootfs | --bind | --ro-bind | --tmpfs | --overlay | --keep | --show | --workdir | -w | --user | -u | \
        --env | -e | --env-file | --hostname | --net | --timeout | --pass-fd | --seccomp | --profile | --files | --platform | --log-level | --log-format | \
        --memory | --memory-swap | --cpus | --cpuset-cpus | --cpu-weight | --pids-limit | --io-max | \
        --blkio-weight | --unenforced-limits | --name | \
        --trace | --path | -P | --fd | --ret | --errno | --min-duration | --process | --where | --inject | --seed | --output | -o | \
        --format | --sort | --color | --string-limit | -s | --column | -a | --pid | -p)
        # bash splits --option=value into three words.
        [[ ${COMP_WORDS[index + 1]} == = ]] && ((index++))
        ((index++))
        ;;
      -*) ;;
      *) echo "$index" && return ;;
    esac
    ((index++))
  done
  echo ${#COMP_WORDS[@]}
}

_sandbox() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]}
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W 'run trace diff apply ps top stats pause resume update image gc info syscalls create start state kill delete exec list events spec features --help --version' -- "$current")
    return
  fi
  if [[ $current == = ]]; then current=; elif [[ $previous == = ]]; then previous=${COMP_WORDS[COMP_CWORD - 2]}; fi

  if [[ $verb == run || $verb == trace ]]; then
    local program
    program=$(_sandbox_program_index)
    if ((COMP_CWORD >= program)) && declare -F _command_offset > /dev/null; then
      _command_offset "$program"
      return
    fi
  fi
  case $previous in
    --image) mapfile -t COMPREPLY < <(compgen -W 'oci: oci-archive: docker-archive:' -- "$current") ;;
    --entrypoint) mapfile -t COMPREPLY < <(compgen -c -- "$current") ;;
    --rootfs | --keep | --workdir | -w) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    --overlay) mapfile -t COMPREPLY < <(compgen -W 'memory none' -- "$current"; compgen -d -- "$current") ;;
    --bind | --ro-bind | --env-file | --show) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    --user | -u) mapfile -t COMPREPLY < <(compgen -u -- "$current") ;;
    --env | -e) mapfile -t COMPREPLY < <(compgen -e -- "$current") ;;
    --net) mapfile -t COMPREPLY < <(compgen -W 'none host' -- "$current") ;;
    --platform) mapfile -t COMPREPLY < <(compgen -W 'auto ptrace notify' -- "$current") ;;
    --log-level) mapfile -t COMPREPLY < <(compgen -W 'trace debug info warn error off' -- "$current") ;;
    --log-format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$current") ;;
    --format)
      if [[ $verb == trace ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'text jsonl perfetto' -- "$current")
      elif [[ $verb == ps || $verb == stats ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'table json' -- "$current")
      elif [[ $verb == syscalls ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'table md json' -- "$current")
      else
        mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$current")
      fi
      ;;
    --unenforced-limits) mapfile -t COMPREPLY < <(compgen -W 'refuse warn' -- "$current") ;;
    --name) ;;
    --memory | --memory-swap | --cpus | --cpuset-cpus | --cpu-weight | --pids-limit | --blkio-weight) ;;
    --io-max) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    --sort) mapfile -t COMPREPLY < <(compgen -W 'time calls errors latency name' -- "$current") ;;
    --color) mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$current") ;;
    --output | -o | --path | -P | --seccomp | --profile | --files) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    --pid | -p) mapfile -t COMPREPLY < <(cd /proc && compgen -d -X '![0-9]*' -- "$current") ;;
    --trace)
      mapfile -t COMPREPLY < <(compgen -W '%file %desc %net %process %memory %signal %ipc %clock %creds' -- "$current")
      ;;
    --hostname | --timeout | --pass-fd | --tmpfs | --fd | --ret | --errno | --min-duration | --process | --where | --inject | --seed | \
      --string-limit | -s | --column | -a) ;;
    *)
      local words=--help
      if [[ $verb == trace ]]; then
        words+=' --host --pid --trace --path --fd --ret --errno --failed --successful --min-duration --process --where'
        words+=' --output --output-per-process --format --summary --sort --string-limit --verbose --arg-names --fd-paths --stack --disasm'
        words+=' --column --color --profile --files --explain --inject --seed --top'
      fi
      case $verb in
        run | trace)
          words+=' --image --entrypoint --rootfs --bind --ro-bind --tmpfs --overlay --keep --read-only --show --workdir --user --env'
          words+=' --env-file --clear-env --hostname --net --timeout --init --no-init --pass-fd --seccomp --platform'
          words+=' --log-level --log-format --memory --memory-swap --cpus --cpuset-cpus --cpu-weight --pids-limit'
          words+=' --io-max --blkio-weight --unenforced-limits --name --'
          ;;
        image) words+=' ls rm prune' ;;
        diff) words+=' --rootfs --format' ;;
        apply) words+=' --rootfs --yes --dry-run' ;;
        info | syscalls | ps | stats) words+=' --format' ;;
        top) words+=' --interval --count' ;;
        update)
          words+=' --memory --memory-swap --cpus --cpuset-cpus --cpu-weight --pids-limit --io-max --blkio-weight'
          ;;
      esac
      if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
      elif [[ $verb == run || $verb == trace ]]; then
        mapfile -t COMPREPLY < <(compgen -c -- "$current")
      elif [[ $verb =~ ^(ps|stats|top|pause|resume|update)$ ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(sandbox ps 2> /dev/null | awk 'NR > 1 { print $1 }')" -- "$current")
      else
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
      fi
      ;;
  esac
  compopt -o filenames 2> /dev/null
}

complete -o default -F _sandbox sandbox
