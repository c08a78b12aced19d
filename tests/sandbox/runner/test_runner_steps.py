"""Composite actions, written to a folder and run: what steps see, say and pass on."""

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from backup_action.sandbox import step_process
from backup_action.sandbox.runner import ActionRun, read_env_file, run_action

ROOT = Path(__file__).parents[3]


class Bench:
    """A folder with an action, a workspace and a place for temporary files."""

    def __init__(self, root: Path) -> None:
        self.root, self.workspace, self.temp = root, root / "workspace", root / "temp"
        self.workspace.mkdir()

    def write(self, text: str, folder: str = "action") -> Path:
        path = self.root / folder
        path.mkdir(parents=True, exist_ok=True)
        (path / "action.yml").write_text(textwrap.dedent(text))
        return path

    def run(self, text: str, inputs=None, environment=None, **options) -> ActionRun:
        return run_action(
            self.write(text),
            inputs=inputs or {},
            environment=environment or {},
            workspace=self.workspace,
            temp=self.temp,
            **options,
        )

    def steps(self, text: str, head: str = "name: test\n", **options) -> ActionRun:
        """Runs the steps, given as a YAML list."""
        body = textwrap.indent(textwrap.dedent(text).strip(), "    ")
        return self.run(f"{head}runs:\n  using: composite\n  steps:\n{body}\n", **options)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def errors(run):
    return [annotation.message for annotation in run.annotations if annotation.level == "error"]


def printed(run):
    """The log without the groups at the steps' heads."""
    lines, inside = [], False
    for line in run.log.splitlines():
        if line.startswith("##[group]Run "):
            inside = True
        if not inside:
            lines.append(line)
        if line == "##[endgroup]":
            inside = False
    return lines


PASSING_ON = """
    name: test
    inputs:
      who: {default: on}
      number: {default: 1.10}
      where: {default: "${{ github.repository }}"}
      empty: {required: true}
    outputs:
      text: {value: "${{ steps.two.outputs.text }}"}
      state: {value: "${{ steps.one.outcome }}/${{ steps.two.conclusion }}"}
    runs:
      using: composite
      steps:
        - id: one
          shell: bash
          env: {WHO: "${{ inputs.WHO }} ${{ inputs.number }} ${{ inputs.where }}<${{ inputs.empty }}>"}
          run: echo "who=$WHO" >> "$GITHUB_OUTPUT"
        - id: two
          shell: sh
          run: |
            {
              echo 'text<<END'
              echo 'Hello ${{ steps.one.outputs.who }}'
              echo 'second line'
              echo END
            } >> "$GITHUB_OUTPUT"
"""


def test_a_later_step_reads_an_earlier_ones_output(bench):
    run = bench.run(PASSING_ON, github={"repository": "o/r"})
    assert run.conclusion == "success"
    assert run.outputs == {"text": "Hello on 1.1 o/r<>\nsecond line", "state": "success/success"}
    given = bench.run(PASSING_ON, inputs={"Who": "me"})
    assert given.outputs["text"].startswith("Hello me 1.1 example/quant-data")


def test_unexpected_inputs_warn(bench):
    run = bench.run(PASSING_ON, inputs={"x": "1", "who": "a"})
    assert [annotation.message for annotation in run.annotations] == [
        "Unexpected input(s) 'x', valid inputs are ['who', 'number', 'where', 'empty']"
    ]
    assert run.conclusion == "success"


def test_a_given_input_replaces_the_default_whatever_its_case(bench):
    head = "name: t\ninputs: {who: {default: nobody}}\n"
    run = bench.steps(
        "- {shell: bash, run: 'echo ${{ join(inputs.*) }} ${{ inputs.who }}'}", head, inputs={"WHO": "me"}
    )
    assert printed(run) == ["me me"]


def test_a_deprecated_input_warns(bench):
    head = "name: t\ninputs: {old: {deprecationMessage: use new}}\n"
    step = "- {shell: bash, run: 'true'}"
    assert bench.steps(step, head).annotations == ()
    (warning,) = bench.steps(step, head, inputs={"OLD": "1"}).annotations
    assert warning.message == "Input 'OLD' has been deprecated with message: use new"


def test_bash_has_errexit_and_pipefail_and_the_order_of_conditions(bench):
    run = bench.steps("""
        - {id: pipe, shell: bash, run: "false | true\\necho unreached"}
        - {id: skipped, shell: bash, run: echo skipped-ran}
        - {id: failed, if: failure(), shell: bash, run: echo failure-ran}
        - id: always
          if: ${{ always() }}
          shell: bash
          run: echo ${{ steps.pipe.outcome }}-${{ steps.skipped.conclusion }}
        - {id: plain, if: "1 == 1", shell: bash, run: echo plain-ran}
    """)
    assert run.conclusion == "failure"
    assert printed(run) == ["##[error]Process completed with exit code 1.", "failure-ran", "failure-skipped"]
    assert [step.conclusion for step in run.steps] == ["failure", "skipped", "success", "success", "skipped"]
    assert [step.exit_code for step in run.steps] == [1, None, 0, 0, None]


def test_sh_has_errexit_but_no_pipefail(bench):
    run = bench.steps("""
        - {shell: sh, run: "false | true\\necho reached\\nfalse\\necho unreached"}
    """)
    assert printed(run) == ["reached", "##[error]Process completed with exit code 1."]


def test_a_hyphenated_name_reaches_bash_but_not_dash(bench):
    run = bench.steps("""
        - {shell: bash, env: {INPUT_A-B: kept}, run: "env | grep INPUT_A-B"}
    """)
    assert printed(run) == ["INPUT_A-B=kept"]


def test_inputs_are_no_variables_and_the_environment_is_clean(bench, monkeypatch):
    monkeypatch.setenv("LEAKED_FROM_THE_CALLER", "1")
    run = bench.steps(
        "- {shell: bash, run: env}",
        "name: t\ninputs: {a: {default: x}}\n",
        environment={"JOB_LEVEL": "yes", "GITHUB_SHA": "forged", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "req-token-1"},
    )
    variables = dict(line.split("=", 1) for line in printed(run) if "=" in line)
    assert not any(name.startswith("INPUT_") for name in variables)
    assert "LEAKED_FROM_THE_CALLER" not in variables
    assert variables["JOB_LEVEL"] == "yes"
    assert variables["GITHUB_SHA"] != "forged"
    assert variables["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] == "***"
    assert (variables["CI"], variables["GITHUB_ACTIONS"]) == ("true", "true")
    assert variables["GITHUB_WORKSPACE"] == variables["PWD"] == str(bench.workspace)
    assert variables["GITHUB_ACTION_PATH"] == str(bench.root / "action")
    assert variables["RUNNER_TEMP"] == str(bench.temp)
    assert json.loads(Path(variables["GITHUB_EVENT_PATH"]).read_text()) == {}
    assert {"RUNNER_OS", "RUNNER_ARCH", "RUNNER_TOOL_CACHE", "GITHUB_RUN_ID", "GITHUB_REF", "HOME"} <= set(variables)


def test_variables_and_folders_for_later_steps(bench):
    (bench.root / "bin").mkdir()
    program = bench.root / "bin/hello-program"
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    run = bench.steps(
        """
        - shell: bash
          run: |
            printf 'A=from-file\\nGITHUB_SHA=forged\\nRUNNER_OS=forged\\nOWN=kept<<x\\n' >> "$GITHUB_ENV"
            echo "%s" >> "$GITHUB_PATH"
            echo "now:$A"
        - shell: bash
          env: {OWN: "step ${{ env.OWN }}"}
          run: echo $A ${{ env.A }} $OWN; hello-program; echo $GITHUB_SHA $RUNNER_OS
        """
        % (bench.root / "bin"),
        environment={"A": "from-job"},
        github={"sha": "real"},
    )
    assert printed(run)[:3] == ["now:from-job", "from-file from-file step kept<<x", "found"]
    assert printed(run)[3].startswith("real ") and "forged" not in printed(run)[3]


def test_node_options_cannot_be_set(bench):
    run = bench.steps("""
        - {shell: bash, run: 'printf "NODE_OPTIONS=x\\nB=2\\n" >> "$GITHUB_ENV"'}
        - {shell: bash, run: 'echo "<$NODE_OPTIONS>$B"'}
    """)
    assert printed(run)[-1] == "<>2"
    assert run.conclusion == "success"
    assert errors(run) == ["Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command."]


@pytest.mark.parametrize("kind", ["ENV", "OUTPUT", "STATE"])
def test_a_bad_line_fails_the_step(bench, kind):
    run = bench.steps(f"""
        - {{id: a, shell: bash, run: 'printf "a=1\\nbad\\n" >> "$GITHUB_{kind}"'}}
    """)
    assert run.conclusion == "failure"
    assert errors(run) == [f"Unable to process file command '{kind.lower()}' successfully.", "Invalid format 'bad'"]
    assert run.steps[0].exit_code == 0
    assert run.steps[0].outputs == ({"a": "1"} if kind == "OUTPUT" else {})


def test_outputs_of_a_failed_step_are_kept(bench):
    head = "name: t\noutputs: {x: {value: '${{ steps.a.outputs.x }}'}}\n"
    run = bench.steps("- {id: a, shell: bash, run: 'echo x=1 >> $GITHUB_OUTPUT; exit 7'}", head)
    assert (run.conclusion, run.outputs) == ("failure", {"x": "1"})
    assert errors(run) == ["Process completed with exit code 7."]


def test_continue_on_error(bench):
    run = bench.steps("""
        - {id: a, shell: bash, run: exit 3, continue-on-error: true}
        - {id: b, shell: bash, run: "echo ${{ steps.a.outcome }} ${{ steps.a.conclusion }} ${{ github.action_status }}"}
        - {id: c, shell: bash, run: exit 3, continue-on-error: "${{ steps.a.outcome == 'failure' }}"}
    """)
    assert run.conclusion == "success"
    assert "failure success success" in printed(run)
    assert [(step.outcome, step.conclusion) for step in run.steps] == [
        ("failure", "success"),
        ("success", "success"),
        ("failure", "success"),
    ]


def test_continue_on_error_takes_no_text(bench):
    run = bench.steps("- {shell: bash, run: exit 3, continue-on-error: \"${{ 'true' }}\"}")
    assert run.conclusion == "failure"
    assert any("determine whether to continue on error" in message for message in errors(run))


def test_masks_in_log_summary_names_and_outputs(bench):
    head = "name: t\noutputs: {leak: {value: '${{ steps.a.outputs.x }}'}, fine: {value: ok}}\n"
    run = bench.steps(
        """
        - id: a
          shell: bash
          run: |
            echo "before s3cr3t"
            echo "::add-mask::s3cr3t"
            echo "after s3cr3t czNjcjN0 s3cr3t"
            echo "::warning title=s::has s3cr3t"
            echo "x=s3cr3t" >> "$GITHUB_OUTPUT"
            echo "# s3cr3t" >> "$GITHUB_STEP_SUMMARY"
        - {shell: bash, run: "echo ${{ steps.a.outputs.x }} >&2"}
        """,
        head,
    )
    assert "before s3cr3t" in printed(run)
    assert "after *** *** ***" in printed(run)
    assert printed(run)[-1] == "***"
    assert run.summary == "# ***\n"
    assert run.annotations[0].message == "has ***"
    assert run.outputs == {"leak": "s3cr3t", "fine": "ok"}
    assert run.masked_outputs == ("leak",)
    assert run.masks == ("s3cr3t",)
    assert run.steps[1].name == "Run echo *** >&2"


def test_annotations_are_limited_by_level(bench):
    run = bench.steps("""
        - shell: bash
          run: for i in $(seq 12); do echo "::warning::w$i"; echo "::error::e$i"; done; echo "::notice::n"
        - {shell: bash, run: "printf '::error::%05000d\\n' 1; echo '::notice::another'"}
    """)
    levels = [annotation.level for annotation in run.annotations]
    assert (levels.count("warning"), levels.count("error"), levels.count("notice")) == (10, 10, 2)
    assert "##[warning]w12" in printed(run)
    assert run.conclusion == "success"
    long = bench.steps("- {shell: bash, run: \"printf '::error::%05000d\\n' 1\"}")
    assert len(long.annotations[0].message) == 4096


def test_commands_are_read_from_both_streams_and_stopped_ones_are_not(bench):
    run = bench.steps("""
        - shell: bash
          run: |
            echo "  ::notice::one" >&2
            echo "x ##[notice]two" >&2
            printf 'progress\\r::notice::three\\n' >&2
            echo "::stop-commands::tok" >&2
            echo "::notice::four" >&2
            echo "::tok::" >&2
            echo "::notice::five" >&2
            printf '::notice::six' >&2
    """)
    assert [annotation.message for annotation in run.annotations] == ["one", "two", "three", "five", "six"]
    assert "::notice::four" in printed(run)


def test_a_disabled_command_fails_the_step(bench):
    run = bench.steps("- {shell: bash, run: 'echo ::set-env name=A::b'}")
    assert run.conclusion == "failure"
    assert run.steps[0].exit_code == 0


def test_set_output_still_works(bench):
    head = "name: t\noutputs: {x: {value: '${{ steps.a.outputs.x }}'}}\n"
    run = bench.steps("- {id: a, shell: bash, run: 'echo ::set-output name=x::1%0A2'}", head)
    assert run.outputs == {"x": "1\n2"}
    assert run.annotations[0].level == "warning"


def test_summaries(bench):
    run = bench.steps("""
        - {shell: bash, run: "echo one >> $GITHUB_STEP_SUMMARY"}
        - {shell: bash, run: "head -c 1100000 /dev/zero | tr '\\\\0' x >> $GITHUB_STEP_SUMMARY"}
        - {shell: bash, run: "echo three > $GITHUB_STEP_SUMMARY"}
    """)
    assert run.summary == "one\n\nthree\n"
    assert run.conclusion == "success"
    assert "1024k, got 1074k" in errors(run)[0]


def test_shells_and_folders(bench, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    (bench.workspace / "sub").mkdir()
    run = bench.steps("""
        - {shell: python, run: "import os; print('python', os.getcwd())", working-directory: sub}
        - {shell: "bash -u {0} a1", run: "echo $1; echo $UNSET_VARIABLE; echo unreached"}
        - {if: always(), shell: nosuchshell, run: x}
        - {if: always(), shell: bash -e, run: x}
        - {if: always(), shell: bash, run: x, working-directory: missing}
    """)
    assert printed(run)[0] == f"python {bench.workspace}/sub"
    assert "a1" in printed(run) and "unreached" not in printed(run)
    assert [step.conclusion for step in run.steps] == ["success", "failure", "failure", "failure", "failure"]
    assert "nosuchshell: command not found" in errors(run)
    assert any("Shell must be a valid built-in" in message for message in errors(run))
    assert "missing" in errors(run)[-1]


def test_the_log_shows_the_script_the_shell_and_the_variables(bench):
    run = bench.steps('- {shell: bash, env: {A: b}, run: "\\n\\necho one\\necho two"}')
    lines = run.log.splitlines()
    start = lines.index("##[group]Run echo one")
    assert lines[start + 3 : start + 5] == ["\x1b[36;1mecho one\x1b[0m", "\x1b[36;1mecho two\x1b[0m"]
    assert lines[start + 5].endswith("bash --noprofile --norc -e -o pipefail {0}")
    assert lines[start + 6 : start + 9] == ["env:", "  A: b", "##[endgroup]"]


def test_a_condition_that_fails_ends_the_action(bench):
    run = bench.steps("""
        - {if: "fromJSON('x')", shell: bash, run: echo a}
        - {if: always(), shell: bash, run: echo b}
    """)
    assert run.conclusion == "failure"
    assert [step.conclusion for step in run.steps] == ["failure"]


def test_an_expression_that_fails_fails_its_step(bench):
    run = bench.steps("""
        - {shell: bash, run: "echo ${{ fromJSON('x') }}"}
        - {if: failure(), shell: bash, env: {A: "${{ fromJSON('') }}"}, run: "true"}
        - {if: failure(), shell: bash, run: echo third}
    """)
    assert [step.conclusion for step in run.steps] == ["failure", "failure", "success"]


def test_nested_actions(bench):
    bench.write(
        """
        name: inner
        inputs: {who: {default: nobody}, other: {default: "d"}}
        outputs: {said: {value: "${{ steps.say.outputs.said }}"}}
        runs:
          using: composite
          steps:
            - id: say
              shell: bash
              run: echo "said=${{ inputs.who }}${{ inputs.other }} $LEVEL $OUTER" >> "$GITHUB_OUTPUT"
            - {shell: bash, run: "echo $GITHUB_ACTION_PATH; exit ${{ inputs.other == 'bad' && 1 || 0 }}"}
        """,
        "workspace/inner",
    )
    head = "name: t\noutputs: {said: {value: '${{ steps.in.outputs.said }}'}}\n"
    run = bench.steps(
        """
        - {shell: bash, run: "echo OUTER=from-file >> $GITHUB_ENV"}
        - {id: in, uses: ./inner, with: {who: "${{ 'me' }}"}, env: {LEVEL: step}}
        - {id: bad, uses: ./inner, with: {other: bad}}
        - {if: failure(), shell: bash, run: 'echo "<$LEVEL>"'}
        """,
        head,
    )
    assert run.outputs == {"said": "med step from-file"}
    assert printed(run)[0] == str(bench.workspace / "inner")
    assert printed(run)[-1] == "<>"
    assert [(step.depth, step.conclusion) for step in run.steps if step.depth == 1 or step.conclusion != "success"] == [
        (1, "success"),
        (1, "success"),
        (2, "failure"),
        (1, "failure"),
        (1, "success"),
    ]


def test_nesting_is_limited(bench):
    bench.write("name: r\nruns: {using: composite, steps: [{uses: ./r}]}\n", "workspace/r")
    run = bench.steps("- {uses: ./r}")
    assert run.conclusion == "failure"
    assert errors(run) == ["Composite action depth exceeded max depth 9"]
    assert max(step.depth for step in run.steps) == 9


@pytest.mark.parametrize("uses", ["actions/checkout@v4", "docker://alpine", "./missing"])
def test_what_cannot_be_used(bench, uses):
    run = bench.steps(f"- {{uses: '{uses}'}}")
    assert run.conclusion == "failure"
    assert uses.removeprefix("./") in errors(run)[0]


BROKEN = [
    ("name: [", "not valid YAML"),
    ("a: 1\nA: 2", "'A' is already defined"),
    ("runs: {using: node20, main: x}", "only composite"),
    ("runs: {using: composite}", "a sequence was expected"),
    ("runs: {using: composite, steps: [{run: x}]}", "Required property is missing: shell"),
    ("runs: {using: composite, steps: [{name: x}]}", "neither 'run' nor 'uses'"),
    (
        "runs: {using: composite, steps: [{run: x, shell: bash, timeout-minutes: 1}]}",
        "Unexpected value 'timeout-minutes'",
    ),
    ("runs: {using: composite, steps: [{run: x, shell: bash, uses: ./a}]}", "Unexpected value 'uses'"),
    ("runs: {using: composite, steps: [{run: x, shell: bash, id: 1a}]}", "identifier '1a' is invalid"),
    ("runs: {using: composite, steps: [{run: x, shell: bash, id: a}, {run: x, shell: bash, id: A}]}", "more than once"),
    ("runs: {using: composite, steps: [{run: '${{ secrets.x }}', shell: bash}]}", "named-value: 'secrets'"),
    ("runs: {using: composite, steps: [{run: '${{ always() }}', shell: bash}]}", "function: 'always'"),
    ("runs: {using: composite, steps: [{run: x, shell: bash, if: nosuch.x}]}", "named-value: 'nosuch'"),
    ("runs: {using: composite, steps: [{run: x, shell: bash, env: {A: [1]}}]}", "env.A: a array was not expected"),
    ("inputs: {a: {default: '${{ inputs.b }}'}}\nruns: {using: composite, steps: []}", "inputs.a.default"),
    ("outputs: {a: {value: '${{ needs.b }}'}}\nruns: {using: composite, steps: []}", "outputs.a.value"),
]


@pytest.mark.parametrize(("text", "part"), BROKEN)
def test_an_action_that_cannot_be_loaded(bench, text, part):
    run = bench.run(text)
    assert run.conclusion == "failure"
    assert part in errors(run)[0]
    assert run.steps == ()


def test_yaml_is_read_by_version_1_2(bench):
    defaults = {"a": "no", "b": "010", "c": "2026-01-02", "d": "True", "e": "0x10"}
    head = "name: t\ninputs:\n" + "".join(f"  {name}: {{default: {value}}}\n" for name, value in defaults.items())
    run = bench.steps("- {shell: bash, run: 'echo ${{ join(inputs.*) }}'}", head)
    assert printed(run) == ["no,10,2026-01-02,true,16"]


def test_the_event_reaches_context_and_file(bench):
    run = bench.steps(
        "- {shell: bash, run: 'echo ${{ github.event.inputs.x }}; grep -c 数 $GITHUB_EVENT_PATH'}",
        event={"inputs": {"x": "数据"}},
        github={"event_name": "workflow_dispatch"},
    )
    assert printed(run) == ["数据", "1"]


def test_a_background_process_does_not_survive_the_job(bench):
    run = bench.steps("- {shell: bash, run: 'sleep 600 > /dev/null 2>&1 & echo $!'}")
    until = time.monotonic() + 20
    while running(printed(run)[0]) and time.monotonic() < until:
        time.sleep(0.01)
    assert not running(printed(run)[0])


def test_a_process_that_shows_no_environment_yet_does_not_survive_either():
    script = f"sleep 0.3; export {step_process.TRACKING}=github_late; exec sleep 600"  # with no program in between
    with subprocess.Popen(["/bin/sh", "-c", script], env={}) as process:
        try:
            assert step_process.end_orphans("github_late", patience=20) == [process.pid]
            assert process.wait(20) < 0
        finally:
            process.kill()


def running(process):
    """Whether the process is there and not just waiting to be collected."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_env_files():
    assert read_env_file("export A='x y'\n# no\n\nB=1 # c\nexport C=$(x)=\"q\"\n") == {
        "A": "x y",
        "B": "1",
        "C": "$(x)=q",
    }
    with pytest.raises(ValueError, match="export NAME=VALUE"):
        read_env_file("export A\n")


def test_the_command_line(bench):
    action = bench.write(PASSING_ON)
    (bench.root / "env.sh").write_text("export WHO_ELSE='a b'\n")
    (bench.root / "event.json").write_text('{"x": 1}')
    command = [
        sys.executable,
        "-m",
        "backup_action.sandbox.runner",
        str(action),
        "--input",
        "who=me=1",
        "--input",
        "z=1",
    ]
    command += ["--env-file", str(bench.root / "env.sh"), "--workspace", str(bench.workspace)]
    command += [
        "--temp",
        str(bench.temp),
        "--tool-cache",
        str(bench.root / "tools"),
        "--json",
        str(bench.root / "run.json"),
    ]
    command += ["--event", str(bench.root / "event.json")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "  WHO_ELSE: a b" in ended.stdout.splitlines()
    assert ended.stdout.splitlines()[-1].startswith("warning: Unexpected input(s) 'z'")
    written = json.loads((bench.root / "run.json").read_text())
    assert written["conclusion"] == "success"
    assert written["outputs"]["text"].startswith("Hello me=1 ")
    assert written["annotations"][0]["level"] == "warning"
    assert written["log"] in ended.stdout


def test_the_command_line_of_a_failed_run(bench):
    action = bench.write("runs: {using: composite, steps: [{run: exit 9, shell: bash}]}")
    command = [sys.executable, "-m", "backup_action.sandbox.runner", str(action), "--workspace", str(bench.workspace)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert ended.returncode == 1
    assert ended.stdout.splitlines()[-1] == "error: Process completed with exit code 9."
