"""The command line ``qgen``. Results go to stdout, messages and progress to stderr.

Exit codes: 0 success, 2 recipe or usage, 3 data, 4 installed packages, 5 remote service, 6 not
enough memory or disk, or a place that cannot be written, 75 try again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, NoReturn

import typer
from typer.core import TyperCommand

from qgen_core import __version__
from qgen_core.discovery import registry
from qgen_core.discovery.entry_points import blamed
from qgen_core.discovery.hooks import manager
from qgen_core.errors import (
    BrokenPlugin,
    DataError,
    Interrupted,
    QgenError,
    RecipeError,
    UnknownName,
)
from qgen_core.runs.results import guarded_output, reserved_stdout, write_result
from qgen_core.support.signals import Stopped, requests_as_exceptions

if TYPE_CHECKING:
    import numpy as np

    from qgen_core.runs.run import Run

#: Longest line of ``qgen list``; descriptions are cut to it.
LIST_WIDTH = 120


class Command(TyperCommand):
    """A command of qgen: its stdout takes results only, and signals end it as Ctrl-C does."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Raises Interrupted on SIGTERM and SIGHUP."""
        try:
            with requests_as_exceptions(), reserved_stdout():
                return super().invoke(ctx)
        except Stopped as stopped:
            raise Interrupted(f"stopped by {stopped}; what was saved before is intact") from None

    def get_help(self, ctx: Any) -> str:
        """The help text; typer escapes brackets for rich even where rich formats nothing."""
        return str(super().get_help(ctx)).replace("\\[", "[")


app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing rich takes a third of the time of all else
    context_settings={"max_content_width": LIST_WIDTH},
)
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="key.sub=value", help="Change the recipe; may be repeated."),
]
Untrained = Annotated[
    bool, typer.Option("--untrained", help="Allow a model whose training did not begin.")
]
Latex = Annotated[
    bool, typer.Option("--latex", help="Show names of columns as formulas in the figures.")
]
Quick = Annotated[bool, typer.Option("--quick", help="A smaller version that takes minutes.")]
StudyFolder = Annotated[
    Path | None, typer.Option("--run", metavar="DIR", help="Where its cells are kept.")
]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Processes to run cells in.")]
ExecutorSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--executor",
        metavar="NAME|key=value",
        help="What runs the cells, e.g. dask, and its options; may be repeated.",
    ),
]
Show = Annotated[
    bool, typer.Option("--show", help="Run nothing; tabulate and draw the results so far.")
]
EmitSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--emit",
        metavar="htcondor|slurm|jobs=N",
        help="Run nothing; write a job array of the missing cells, shared by N jobs.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
RunFolder = Annotated[Path, typer.Argument(metavar="DIR", help="A run folder.")]
RecipeFile = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe (TOML).")]


def _print_version(wanted: bool) -> None:
    if wanted:
        write_result(f"qgen {__version__}")
        raise typer.Exit


@app.callback()
def options_of_all(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Train and run generative models, quantum and classical, for high-energy physics."""


def say(text: str) -> None:
    """Print a message to stderr."""
    typer.echo(text, err=True)


@app.command()
def train(
    recipe: RecipeFile,
    run: Annotated[Path, typer.Option("--run", metavar="DIR", help="The run folder to write.")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the folder's checkpoint.")
    ] = False,
    start_from: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR2", help="Start with the parameters of another run."),
    ] = None,
    settings: Settings = None,
    every: Annotated[float, typer.Option("--checkpoint-every", metavar="SECONDS", min=0.0)] = 5.0,
    time_limit: Annotated[
        float | None,
        typer.Option(
            "--time-limit", metavar="SECONDS", help="Save and stop (exit 75) after this time."
        ),
    ] = None,
    trackers: Annotated[
        list[str] | None,
        typer.Option(
            "--log",
            metavar="TRACKER|TRACKER.key=value",
            help="Follow the training, e.g. by tensorboard or mlflow; may be repeated.",
        ),
    ] = None,
) -> None:
    """Train a recipe into a run folder."""
    from qgen_core.runs import run as runs
    from qgen_core.runs.progress import TrainingProgress
    from qgen_core.runs.recipes import Recipe
    from qgen_core.runs.tracking import tracked

    read = Recipe.read(recipe, settings or ())
    progress = TrainingProgress()
    try:
        with tracked(_trackers(trackers or ()), read, run) as followers:
            history = runs.train(
                read,
                run,
                resume=resume,
                start_from=start_from,
                every=every,
                time_limit=time_limit,
                hooks=[progress, *followers],
            )
    finally:
        progress.close()
    message = f"trained: {history.stopped}"
    if history.kept_step is not None:
        message += f"; kept the parameters of step {history.kept_step}, of least "
        message += f"{history.kept_by} {history.kept_value:.6g}"
    elif len(history.losses):
        message += f"; loss {history.losses[-1]:.6g}"
    say(f"{message}; saved in {run}")


@app.command()
def generate(
    run: RunFolder,
    n: Annotated[int, typer.Option("-n", help="Number of events.", min=1)],
    output: Annotated[
        Path,
        typer.Option(
            "-o", metavar="FILE", help="The file to write: .h5, .npz, .csv, .parquet or .root."
        ),
    ],
    seed: Annotated[
        int | None, typer.Option("--seed", help="A seed; default: the recipe's.", min=0)
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            "--condition",
            metavar="name=value|FILE",
            help="Values of conditions, or a file of them.",
        ),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="DATASET",
            help="Write files as this dataset reads them, e.g. calochallenge.",
        ),
    ] = None,
    untrained: Untrained = False,
    settings: Settings = None,
) -> None:
    """Generate events with a trained run."""
    from qgen_core.runs.eventfile import require_room, write_events
    from qgen_core.runs.progress import counted
    from qgen_core.runs.run import Run

    loaded = Run(run, settings or (), untrained=untrained)
    writer = _writer_of(layout)
    require_room(output, n, _stored_columns(loaded), writer)
    rows = _conditions(loaded, condition or [])
    used_seed = seed
    if used_seed is None:
        used_seed = loaded.recipe.seed
    attributes = {
        "kind": "generated",
        "recipe": loaded.recipe.to_toml(),
        "run": str(run),
        "seed": str(used_seed),
        **{name: str(value) for name, value in loaded.folder.state.items()},
    }
    pieces = counted(loaded.generate(n, seed=seed, condition=rows), n, "generating")
    written = write_events(pieces, output, attributes, writer)
    say(f"wrote {written} events to {output}")


@app.command()
def evaluate(
    target: Annotated[
        Path, typer.Argument(metavar="DIR|FILE", help="A run folder, or a file of events.")
    ],
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference",
            metavar="FILE|DATASET",
            help="Events to compare with (default: test events of the run).",
        ),
    ] = None,
    untrained: Untrained = False,
    settings: Settings = None,
    latex: Latex = False,
    as_json: Json = False,
) -> None:
    """Compare events with a reference; for a run folder, write its report too."""
    from qgen_core.runs import evaluation
    from qgen_core.runs.report import write_report
    from qgen_core.runs.run import Run

    given = list(settings or ())
    if reference is not None:
        given.insert(0, f"evaluation.reference={json.dumps(reference)}")
    if target.is_dir():
        run = Run(target, given, untrained=untrained)
        result = evaluation.evaluate(run)
    else:
        result = evaluation.evaluate_file(target, given, untrained=untrained)
    say(_compared(result))
    if as_json:
        write_result(json.dumps(result))
    else:
        write_result(_table(result))
    if target.is_dir():
        run.folder.save_evaluation(result)
        say(f"report: {write_report(target, latex=latex)}")


@app.command()
def report(run: RunFolder, latex: Latex = False) -> None:
    """Write report.html of a run folder; needs none of the model's plugins."""
    from qgen_core.runs.report import write_report

    write_result(str(write_report(run, latex=latex)))


@app.command()
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="DIR DIR ...", help="Evaluated run folders, or folders of them."),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", metavar="FILE", help="Write an HTML page with overlays.")
    ] = None,
    browser: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Write a page to sort, filter and overlay many runs."
        ),
    ] = None,
    latex: Latex = False,
    as_json: Json = False,
) -> None:
    """Tabulate runs side by side, with the recipe fields that differ; -o overlays their figures."""
    from qgen_core.runs import compare as comparing
    from qgen_core.runs.browser import write_browser

    result = comparing.compare(runs)
    for reason in result["left out"]:
        say(f"left out: {reason}")
    if browser is not None:
        say(f"run browser: {write_browser(result, browser)}")
    if as_json:
        write_result(json.dumps({key: value for key, value in result.items() if key != "runs"}))
    elif browser is None:  # the page takes the place of the table
        write_result(comparing.as_text(result))
    if output is not None:
        say(f"comparison: {comparing.write_comparison(result, output, latex=latex)}")


@app.command()
def reproduce(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="A study, e.g. jets.")],
    quick: Quick = False,
    run: StudyFolder = None,
    workers: Workers = 1,
    executor: ExecutorSettings = None,
    show: Show = False,
    emit: EmitSettings = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="key=value", help="Options of the study; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Reproduce the study of a paper: run missing cells, print its tables, draw its figures."""
    from qgen_core.runs.recipes import apply_settings

    ref = apply_settings({"name": study}, settings or ())
    where = _StudyPlace(ref, run, quick)
    if emit:
        _emit(where, emit)
    else:
        _run_study(where, _executor(workers, executor or ()), show=show, as_json=as_json)


@app.command()
def scan(
    study: Annotated[
        Path, typer.Argument(metavar="STUDY", help="A study file (TOML): a recipe and its axes.")
    ],
    quick: Quick = False,
    run: StudyFolder = None,
    workers: Workers = 1,
    executor: ExecutorSettings = None,
    show: Show = False,
    emit: EmitSettings = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="key.sub=value", help="Change the study file; may be repeated."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a recipe over a grid of its values, or over the trials of a search."""
    from qgen_core import studies

    where = _StudyPlace(studies.read_scan(study, settings or ()), run, quick)
    if emit:
        _emit(where, emit)
    else:
        _run_study(where, _executor(workers, executor or ()), show=show, as_json=as_json)


@app.command()
def cells(
    array: Annotated[
        Path, typer.Argument(metavar="DIR", help="A job array that --emit has written.")
    ],
    share: Annotated[
        str,
        typer.Option("--share", metavar="K/N", help="Every N-th cell, the K-th first."),
    ] = "1/1",
) -> None:
    """Run a share of the cells of a job array, as each of its jobs does."""
    from qgen_core import studies

    number, _, of = share.partition("/")
    try:
        count, new = studies.run_share(array, int(number), int(of))
    except ValueError:
        raise RecipeError(f"--share takes K/N, e.g. 2/10, not {share!r}") from None
    say(f"share {share}: {new} of {count} cells run, the others had results")


@app.command(name="list")
def list_components(
    kind: Annotated[str | None, typer.Argument(metavar="[KIND]", help="One kind only.")] = None,
    as_json: Json = False,
) -> None:
    """List what is installed, each component with a line about it; imports none of them."""
    kinds = list(registry.KINDS)
    if kind:
        kinds = [kind]
    found = {each: _offers(each) for each in kinds}
    if as_json:
        write_result(json.dumps(found))
        return
    for each, offers in found.items():
        if offers:
            write_result(each)
        for offer in offers:
            write_result(_list_line(offer))


@app.command()
def info(
    words: Annotated[list[str], typer.Argument(metavar="[KIND] NAME")],
    as_json: Json = False,
) -> None:
    """Describe one component: what it is, who provides it, its options."""
    if len(words) > 2:
        raise RecipeError(f"qgen info takes a kind and a name, not {' '.join(words)!r}")
    name = words[-1]
    kind = _only_kind_of(name) if len(words) == 1 else words[0]
    found = registry.describe(kind, name)
    if as_json:
        data = {
            "kind": kind,
            "name": name,
            "distribution": found.distribution,
            "version": found.version,
            "doc": found.doc,
            "options": [_option_data(option) for option in found.options],
        }
        write_result(json.dumps(data))
        return
    write_result(f"{kind} {found.name}  ({found.distribution} {found.version})\n\n{found.doc}\n")
    for option in found.options:
        default = f" = {option.default!r}"
        if option.required:
            default = "  (required)"
        write_result(f"  {option.name}: {option.type}{default}")


@app.command()
def validate(recipe: RecipeFile, settings: Settings = None) -> None:
    """Check a recipe: names, options, data, spaces and memory, without training."""
    from qgen_core.runs.assembly import Assembly
    from qgen_core.runs.recipes import Recipe

    loaded = Recipe.read(recipe, settings or ())
    assembly = Assembly(loaded)
    assembly.validate()
    write_result(
        f"{recipe} is valid: {len(assembly.data)} training events in {assembly.encoder.space}"
    )


@app.command()
def estimate(recipe: RecipeFile, settings: Settings = None, as_json: Json = False) -> None:
    """Predict qubits, depth, memory, circuits, shots and time of a training."""
    from qgen_core.runs.estimate import estimate as predict
    from qgen_core.runs.recipes import Recipe

    found = predict(Recipe.read(recipe, settings or ()))
    if as_json:
        write_result(json.dumps(found))
        return
    for key, value in found.items():
        write_result(f"{key:<22} {_rounded(value)}")


@app.command()
def doctor(
    bench: Annotated[
        bool,
        typer.Option("--bench", help="Also time the backends that work; takes two minutes."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Try everything that is installed; say what does not work and how to repair it."""
    from qgen_core.doctor import benchmark, checkup

    found = checkup.check()
    data = found.data()
    text = checkup.as_text(found)
    broken = found.broken
    if bench:
        measured = benchmark.measure(
            found.names(),
            noise=found.names(noise=True),
            remote=found.remote,
            spent=found.seconds,
        )
        data["bench"] = measured.data()
        text += f"\n\n{measured.text()}"
        broken += measured.wrong
    if as_json:
        write_result(json.dumps(data))
    else:
        write_result(text)
    if broken:
        raise BrokenPlugin(f"installed, but broken: {', '.join(broken)}")


@app.command(name="test-plugin")
def test_plugin(
    package: Annotated[
        str, typer.Argument(metavar="PACKAGE", help="An installed package, e.g. qgen-template.")
    ],
    settings: Annotated[
        Path | None,
        typer.Option(
            "--settings",
            metavar="FILE",
            help="TOML: options of components, attributes of kits, known failures.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the conformance kits on everything that a package offers; exit 4 if a test fails."""
    from dataclasses import asdict

    from qgen_core.runs.progress import counter
    from qgen_core.testing import plugin

    given = plugin.Settings()
    if settings is not None:
        given = plugin.Settings.read(settings)
    offers = plugin.components_of(package)
    outcomes: list[plugin.Outcome] = []
    with counter(len(offers), "components") as advance:
        for number, offer in enumerate(offers, start=1):
            outcomes += plugin.examine(offer, given)
            advance(number)
    if as_json:
        write_result(json.dumps([asdict(outcome) for outcome in outcomes]))
    else:
        write_result(plugin.as_text(outcomes, given))
    failed = [outcome.key for outcome in outcomes if outcome.state == "failed"]
    if failed:
        raise BrokenPlugin(f"{len(failed)} of {len(outcomes)} tests of {package} failed")


@app.command()
def data(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A dataset.")],
    events: Annotated[
        int | None, typer.Option("--events", min=1, help="Generate this many new events.")
    ] = None,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Download the published data set.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
) -> None:
    """Describe a dataset, generate events for it, or fetch it; prints the paths of its files."""
    from qgen_core.runs.progress import counter

    offer, factory = registry.factory_of("dataset", name)
    if events is not None and not hasattr(factory, "generate"):
        raise DataError(f"dataset {name!r} of {offer.distribution} cannot be generated")
    if fetch and not hasattr(factory, "fetch"):
        raise DataError(f"dataset {name!r} of {offer.distribution} cannot be fetched")
    if events is not None:
        with counter(events, f"generating {name}") as advance:
            generate_file: Any = factory.generate  # type: ignore[attr-defined]
            write_result(str(generate_file(events, seed=seed, progress=advance)))
        return
    if fetch:
        for path in factory.fetch(counter=counter):  # type: ignore[attr-defined]
            write_result(str(path))
        return
    found = registry.build("dataset", name)()
    write_result(f"{name}: {len(found)} events of {', '.join(found.columns)}")
    for key, value in found.provenance.items():
        write_result(f"  {key}: {value}")


class _StudyPlace(NamedTuple):
    """A study with its options, where it is kept, and whether it is the small version."""

    ref: Mapping[str, Any]
    folder: Path | None
    quick: bool


def _run_study(where: _StudyPlace, executor: registry.Ref, *, show: bool, as_json: bool) -> None:
    """Run the missing cells of a study and print its tables."""
    from qgen_core import studies

    outcome = studies.reproduce(
        where.ref, where.folder, quick=where.quick, executor=executor, show=show
    )
    text = outcome.markdown()
    if as_json:
        text = json.dumps(outcome.data())
    write_result(text)
    say(f"results: {outcome.folder / 'result'}")


def _executor(workers: int, given: Sequence[str]) -> registry.Ref:
    """The executor of ``--workers`` and ``--executor``: a name, and options key=value."""
    from qgen_core.runs.recipes import apply_settings

    name, options = _name_and_options("--executor", given)
    executor: dict[str, Any] = {"name": "serial"}
    if workers > 1:
        executor = {"name": "processes", "workers": workers}
    if name:
        executor["name"] = name
    return apply_settings(executor, options)


def _trackers(given: Sequence[str]) -> list[registry.Ref]:
    """The trackers of ``--log``: names, and options name.key=value."""
    from qgen_core.runs.recipes import apply_settings

    settings = [text for text in given if "=" in text]
    tables = apply_settings({text: {} for text in given if "=" not in text}, settings)
    found: list[registry.Ref] = []
    for name, options in tables.items():
        if not isinstance(options, Mapping):
            raise RecipeError(f"--log takes a name or name.key=value, not {name}={options}")
        found.append({"name": name, **options})
    return found


def _emit(where: _StudyPlace, given: Sequence[str]) -> None:
    """Write a job array and say how to submit it."""
    from qgen_core import studies
    from qgen_core.runs.recipes import apply_settings

    system, settings = _name_and_options("--emit", given)
    options = apply_settings({}, settings)
    jobs = options.pop("jobs", None)
    if options or not isinstance(jobs, int | None):
        raise RecipeError(f"--emit takes a batch system and jobs=N, not {' '.join(settings)}")
    file, command = studies.emit(
        where.ref, where.folder, quick=where.quick, system=system, jobs=jobs
    )
    write_result(str(file))
    say(f"submit it: cd {file.parent} && {command} {file.name}")


def _name_and_options(flag: str, given: Sequence[str]) -> tuple[str, list[str]]:
    """The one value without "=", which may be missing, and the others."""
    options = [text for text in given if "=" in text]
    names = [text for text in given if "=" not in text]
    if len(names) > 1:
        raise RecipeError(f"{flag} takes one name, not {' and '.join(names)}")
    return "".join(names), options


def _writer_of(layout: str | None) -> Any:
    """The writer of the files that a dataset reads; None for no dataset."""
    if layout is None:
        return None
    offer, factory = registry.factory_of("dataset", layout)
    if not hasattr(factory, "writer"):
        raise DataError(
            f"dataset {layout!r} of {offer.distribution} has no files of its own to write; leave "
            "out --format for one array a column"
        )
    return factory.writer


def _stored_columns(run: Run) -> int:
    """How many columns the events of a run have, with those of their conditions."""
    return len(run.columns) + len(run.record["data"]["condition_columns"])


def _conditions(run: Run, given: Sequence[str]) -> np.ndarray[Any, Any] | None:
    """Rows of conditions (C, K) from ``name=value`` settings or one file; None without any."""
    import numpy as np

    from qgen_core.runs.reading import read_columns

    if not given:
        return None
    names = run.record["data"]["condition_columns"]
    if len(given) == 1 and "=" not in given[0]:
        return read_columns(Path(given[0]), names)
    values: dict[str, float] = {}
    for setting in given:
        name, _, text = setting.partition("=")
        if name not in names:
            raise UnknownName(f"no condition {name!r}; this model has {', '.join(names) or 'none'}")
        try:
            values[name] = float(text)
        except ValueError:
            raise RecipeError(f"--condition {setting!r}: {text!r} is not a number") from None
    missing = [name for name in names if name not in values]
    if missing:
        raise RecipeError(f"--condition lacks {', '.join(missing)}")
    return np.array([[values[name] for name in names]])


def _compared(result: Mapping[str, Any]) -> str:
    """Which samples an evaluation compares, in a line."""
    sides = []
    for which in ("generated", "reference"):
        side = result[which]
        sides.append(f"{side['events']} {side['origin']}")
    return f"compared: {' with '.join(sides)}"


def _table(result: dict[str, Any]) -> str:
    """The metrics of an evaluation, one per line."""
    columns = {
        "value": "value",
        "uncertainty": "± bootstrap",
        "floor": "floor",
        "floor_spread": "± spread",
    }
    headings = " ".join(f"{heading:>12}" for heading in columns.values())
    lines = [f"{'metric':<14} {'quantity':<22} {headings}"]
    for row in result["metrics"]:
        numbers = " ".join(f"{row[key]:>12.4g}" for key in columns)
        line = f"{row['metric']:<14} {row['name']:<22} {numbers}"
        if "note" in row:
            line += f"  {row['note']}"
        lines.append(line)
    lines += [f"left out: {what}" for what in result.get("left out", [])]
    return "\n".join(lines)


def _offers(kind: str) -> list[dict[str, str]]:
    """Name, distribution, version and description of every offer of a kind."""
    found = []
    for same_name in registry.offers(kind).values():
        for offer in same_name:
            found.append(
                {
                    "name": offer.name,
                    "distribution": offer.distribution,
                    "version": offer.version,
                    "description": offer.summarise(),
                }
            )
    return found


def _list_line(offer: Mapping[str, str]) -> str:
    """A line of ``qgen list``."""
    source = f"{offer['distribution']} {offer['version']}".rstrip()
    line = f"  {offer['name']:<24} {source:<22} {offer['description']}"
    if len(line) > LIST_WIDTH:
        line = line[: LIST_WIDTH - 3].rstrip() + "..."
    return line.rstrip()


def _only_kind_of(name: str) -> str:
    """The kind of a name that belongs to one kind only."""
    kinds = registry.kinds_of(name)
    if len(kinds) > 1:
        commands = " or ".join(f"`qgen info {kind} {name}`" for kind in kinds)
        raise RecipeError(f"{name!r} is a {' and a '.join(kinds)}; which one? {commands}")
    return kinds[0]


def _rounded(value: Any) -> str:
    """A value for people: floats with three digits, counts by name on one line, None as a dash."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{float(f'{value:.3g}'):g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{count} {name}" for name, count in value.items())
    return str(value)


def _option_data(option: registry.Option) -> dict[str, Any]:
    """An option as data that JSON can hold."""
    default = option.default
    if not isinstance(default, str | int | float | bool | list | type(None)):
        default = repr(default)
    return {
        "name": option.name,
        "type": option.type,
        "default": default,
        "required": option.required,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line with ``arguments``, by default those of the process.

    Exits with the exit code of the error, if there is one; with 75 on SIGTERM and SIGHUP.
    """
    import logging

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # so that no locale turns a message into a crash
            stream.reconfigure(errors="backslashreplace")
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    logging.getLogger("qgen").setLevel(logging.INFO)
    given = list(sys.argv[1:])
    if arguments is not None:
        given = list(arguments)
    own_commands = set()
    for command in app.registered_commands:
        command.cls = Command
        own_commands.add(command.name or getattr(command.callback, "__name__", ""))
    if not own_commands.intersection(given[:1]):
        _add_commands_of_plugins()
    with guarded_output():
        try:
            app(args=given)
        except QgenError as error:
            _end(error)
        except Exception as error:
            found = blamed(error)
            if found is None:
                raise
            _end(found)


def _add_commands_of_plugins() -> None:
    """Done only where they are asked for: the others need no plugin that may hang or exit."""
    try:
        manager().register_commands(app=app)
    except BrokenPlugin as error:
        say(f"{error}; its commands are left out")


def _end(error: QgenError) -> NoReturn:
    say(str(error))
    sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
