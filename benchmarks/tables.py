"""Results as Markdown, for the terminal and for docs/."""

from __future__ import annotations

from typing import Any

from benchmarks.catalog import COMPLEX
from benchmarks.claims import duration

Case = dict[str, Any]


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def claims(results: dict[str, Any]) -> str:
    """Target, reached, met."""
    words = {True: "yes", False: "**no**", None: "-"}
    rows = [[claim["target"], claim["reached"], words[claim["met"]]] for claim in results["claims"]]
    return table(["target", "reached", "met"], rows)


def case(found: Case) -> str:
    """One case: fastest first within its precision."""
    rows = sorted(found["rows"], key=lambda r: (r["precision"], r.get("median", float("inf"))))
    with_first = any("first" in r for r in rows)
    out = []
    for r in rows:
        line = [r["label"], COMPLEX.get(r["precision"], "")]
        if "median" in r:
            line += [
                duration(r["median"]),
                f"{duration(r['q25'])} to {duration(r['q75'])}",
                str(r["repeats"]),
            ]
        else:
            line += ["-", r.get("error", ""), "0"]
        if with_first:
            line.append(duration(r["first"]) if "first" in r else "")
        out.append([*line, _note(found, r)])
    head = [
        "",
        "precision",
        "median",
        "quartiles",
        "repeats",
        *(["first call"] if with_first else []),
        "",
    ]
    return table(head, out)


def _note(found: Case, row: dict[str, Any]) -> str:
    """Against qgen at this precision, against the limit, or what the row says of itself."""
    words = []
    mine = next(
        (r for r in found["rows"] if r["label"] == "qgen" and r["precision"] == row["precision"]),
        None,
    )
    if "median" in row and mine and "median" in mine and mine is not row:
        words.append(f"{row['median'] / mine['median']:.3g} x qgen")
    if mine is row and "limit" in found and "median" in row:
        words.append(f"{row['median'] / found['limit'][row['precision']]:.2f} x the limit")
        if "engine_flops" in found:
            rate = found["engine_flops"][row["precision"]] / row["median"]
            words.append(
                f"{100 * rate / found['peak_flops_per_second'][row['precision']]:.0f} % of the "
                "peak rate"
            )
    if "gain" in row:
        words.append(
            "{median:.2f} ({q25:.2f} to {q75:.2f}) times one thread, round by round".format(
                **row["gain"]
            )
        )
    if "megabytes_above_imports" in row:
        words.append(
            f"{row['megabytes_above_imports']:.0f} MB above imports, two states are "
            f"{row['megabytes_of_two_states']:.0f} MB"
        )
    return ", ".join([*words, *([row["note"]] if "note" in row else [])])


def facts(results: dict[str, Any]) -> str:
    """Where and how it was measured."""
    m = results["machine"]
    peak = next(
        (c["peak_flops_per_second"] for c in results["cases"] if "peak_flops_per_second" in c), None
    )
    lines = [
        f"- {m['processor']}, {m['cores']} cores, Python {m['python']}, {results['date']}; "
        f"{results['mode']} run, "
        f"{results['minutes']:.0f} minutes"
    ]
    if peak:
        lines.append(
            "- peak of one core, fused multiply-adds, measured: "
            + ", ".join(f"{rate / 1e9:.0f} Gflop/s ({p})" for p, rate in peak.items())
        )
    again: dict[str, list[str]] = {}
    for one in results["cases"]:
        if one.get("again"):
            used = one.get("machine", m)
            where = ""
            if used["processor"] != m["processor"]:
                where = f", on {used['processor']}, {used['cores']} cores"
            again.setdefault(where, []).append(one["id"])
    for where, names in again.items():
        lines.append(f"- measured by themselves, after the full run{where}: {', '.join(names)}")
    for place, found in results["versions"].items():
        lines.append(
            f"- {place}: " + ", ".join(f"{name} {number}" for name, number in sorted(found.items()))
        )
    lines += [f"- {who}: {how}" for who, how in results["threads"].items()]
    return "\n".join(lines)


def text(results: dict[str, Any]) -> str:
    """Everything but the points of the curves."""
    parts = [facts(results)]
    parts += [f"{c['id']}\n\n{case(c)}" for c in results["cases"]]
    parts += ["claims\n\n" + claims(results)]
    parts += (
        ["problems\n\n" + "\n".join(f"- {p}" for p in results["problems"])]
        if results["problems"]
        else []
    )
    return "\n\n".join(parts)
