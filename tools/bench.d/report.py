"""Turns results into the table people read and the JSON programs read."""

import os
import platform
import time

import cases
from processes import read_text

BUSY_PERCENT = 10  # of all CPU time just before the run; above it the numbers are not to be trusted
BUSY_SAMPLE_S = 0.5


def cpu_model():
    lines = read_text("/proc/cpuinfo").splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def cpu_ticks():
    """Ticks of all CPUs since boot: idle, stolen by the host, total."""
    ticks = [int(word) for word in read_text("/proc/stat").splitlines()[0].split()[1:9]]
    return ticks[3] + ticks[4], ticks[7], sum(ticks)


def busy_percent():
    """How busy others keep the machine now; the load average would still count what ended a minute ago."""
    idle, _, total = cpu_ticks()
    time.sleep(BUSY_SAMPLE_S)
    idle_now, _, total_now = cpu_ticks()
    return round(100 - 100 * (idle_now - idle) / max(1, total_now - total))


def machine_facts():
    memory_kib = int(read_text("/proc/meminfo").split("MemTotal:")[1].split()[0])
    return {"cpu": cpu_model(), "cpus": len(os.sched_getaffinity(0)), "kernel": platform.release(),
            "memory_mib": memory_kib // 1024,
            "user": "root" if os.geteuid() == 0 else f"uid {os.geteuid()}", "load_at_start": round(os.getloadavg()[0], 2),
            "busy_percent": busy_percent(),
            "started": time.strftime("%Y-%m-%d %H:%M:%S %Z")}


def machine_lines(facts):
    lines = [f"{facts['cpu']}, {facts['cpus']} CPUs, {facts['memory_mib']} MiB; "
             f"Linux {facts['kernel']}; as {facts['user']}; "
             f"load {facts['load_at_start']}, {facts['busy_percent']} % busy; {facts['started']}"]
    if facts["busy_percent"] > BUSY_PERCENT or facts["load_at_start"] > facts["cpus"] / 2:
        lines.append("WARNING: the machine is busy, or was a minute ago; the numbers below may be far off. "
                     "Bars need an idle machine.")
    return lines


def unit_of(case):
    return {"memory": "bytes", "idle-cpu": "us/s", "two-clients": "x"}.get(case, "ns")


def format_value(case, value):
    unit = unit_of(case)
    if unit == "bytes":
        return f"{value / 1048576:.1f} MiB"
    if unit == "us/s":
        return f"{value:.0f} us/s"
    if unit == "x":
        return f"{value:.2f} x"
    for limit, divisor, name in [(1e3, 1, "ns"), (1e6, 1e3, "us"), (1e9, 1e6, "ms")]:
        if value < limit:
            number = value / divisor
            return f"{number:.0f} {name}" if number >= 100 or divisor == 1 else f"{number:.1f} {name}"
    return f"{value / 1e9:.2f} s"


def format_cell(case, value, native):
    if value is None:
        return "-"
    text = format_value(case, value)
    if native and unit_of(case) == "ns":
        text += f" {value / native:7.2f}x" if value / native < 100 else f" {value / native:7.0f}x"
    return text


def table_lines(results, selected, targets):
    """Rows are cases, columns are targets that gave any result; a column holds the median and its ratio to native."""
    shown = [t for t in targets if any(results.median(t, case) is not None for case in selected)]
    rows = [["", *shown]]
    for case in selected:
        native = results.median("native", case)
        rows.append([case, *[format_cell(case, results.median(t, case), native if t != "native" else None) for t in shown]])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths)))
            for row in rows]


def failure_lines(results, targets):
    """Why there is a '-': first targets that could not be used at all, then single cases, equal reasons together."""
    lines = [f"{target.name}: {target.unusable}" for target in targets if target.unusable]
    grouped = {}
    for (target, case), reason in results.failures.items():
        grouped.setdefault((target, reason), []).append(case)
    lines += [f"{target}: {', '.join(failed)}: {reason}" for (target, reason), failed in grouped.items()]
    lines += [f"{target.name}: start-up only" for target in targets if target.startup_only and not target.unusable]
    return ["Not measured:"] + ["  " + line for line in lines] if lines else []


def bar_lines(rows):
    lines = ["Bars:"]
    unknown = {}
    for row in rows:
        if row["verdict"] == "unknown":
            unknown.setdefault(row["why"], []).append(row["case"])
            continue
        lines.append(f"  {row['verdict']}  {row['case']:17} {row['target']:15} {format_value(row['case'], row['value']):>10}  "
                     f"{row['formula']} = {format_value(row['case'], row['limit'])}")
    lines += [f"  unknown ({why}): {', '.join(dict.fromkeys(unknown_cases))}" for why, unknown_cases in unknown.items()]
    counts = {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in ["pass", "miss", "unknown"]}
    lines.append("  " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    return lines


def as_json(machine, settings, results, selected, targets, bars):
    described = {program_case: {} for program_case in selected}
    for case in selected:
        native = results.median("native", case)
        by_target = {}
        for target in targets:
            median = results.median(target.name, case)
            if median is None:
                reason = target.unusable or results.failures.get((target.name, case)) or "not measured on this target"
                by_target[target.name] = {"median": None, "reason": reason}
            else:
                ratio = median / native if native and unit_of(case) == "ns" else None
                by_target[target.name] = {"median": median, "ratio_to_native": ratio,
                                          "samples": results.samples[target.name, case]}
        described[case] = {"unit": unit_of(case), "pinned": case.endswith(cases.PINNED_SUFFIX), "targets": by_target}
    return {"machine": machine, "rounds": settings.rounds,
            "targets": {t.name: {"prefix": t.prefix, "version": t.version(), "unusable": t.unusable} for t in targets},
            "cases": described, "bars": bars}
