"""Workflow files, written to a folder and run: triggers, contexts, permissions, actions, calls."""

from __future__ import annotations

import dataclasses
import textwrap
import threading
from pathlib import Path

import pytest

from backup_action.sandbox import workflow_file, workflow_trigger
from backup_action.sandbox.workflow import Runner, WorkflowRun, run_workflow
from backup_action.sandbox.workflow_file import Workflow, WorkflowError

OIDC = {"ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:1/?x=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token"}
LIBRARY = "OWNER/library@v1"


class Bench:
    """A repository with workflows, another one, and a runner."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.machine = Runner(
            root / "workspace", root / "temp", root / "tools", oidc=OIDC,
            variables={"REGION": "cn-hangzhou"}, secrets={"ROBOT": "s3cret-of-the-robot"},
            repositories={LIBRARY: root / "library", "actions/checkout@v5": None},
        )  # fmt: skip

    def put(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    def load(self, text: str) -> Workflow:
        return workflow_file.load(self.put("repository/.github/workflows/test.yml", text))

    def job(self, steps: str, head: str = "on: workflow_dispatch", more: str = "") -> WorkflowRun:
        """Runs one job of these steps by hand."""
        parts = [head, "jobs:", "  one:", "    runs-on: x"]
        parts += [textwrap.indent(textwrap.dedent(more).strip(), "    "), "    steps:"]
        text = "\n".join([*parts, textwrap.indent(textwrap.dedent(steps).strip(), "    ")]) + "\n"
        return self.hand(text)

    def hand(self, text: str, inputs: dict[str, str] | None = None, **changes: object) -> WorkflowRun:
        workflow = self.load(text)
        machine = dataclasses.replace(self.machine, **changes)
        return run_workflow(workflow, workflow_trigger.by_hand(workflow, inputs), machine)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def said(run: WorkflowRun) -> list[str]:
    """What the steps printed with `say=`."""
    return [line.removeprefix("say=") for line in run.log.splitlines() if line.startswith("say=")]


def wrong(run: WorkflowRun) -> list[str]:
    return [one.message for job in run.jobs.values() for one in job.annotations if one.level == "error"]


EVENTS = """
    on:
      schedule:
        - cron: "0 18 * * *"
        - cron: "30 6 * * 1-5"
      workflow_dispatch:
        inputs:
          profile: {type: string, default: usual}
          dry: {type: boolean, default: false}
          count: {type: number, default: 3}
          when: {type: choice, options: [always, never], default: never}
          needed: {required: true}
      repository_dispatch:
        types: [oss-backup]
    jobs:
      one:
        runs-on: [self-hosted, linux]
        env:
          TOLD: ${{ github.event_name }}/${{ github.event.schedule }}/${{ github.event.action }}/${{ inputs.profile }}
          KINDS: ${{ inputs.dry && 'dry' || 'wet' }}/${{ toJSON(inputs.dry) }}/${{ inputs.count }}/${{ inputs.when }}
          TEXTS: ${{ toJSON(github.event.inputs.dry) }}/${{ github.event.client_payload.profile }}
        steps:
          - run: printf 'say=%s\\n' "$TOLD" "$KINDS" "$TEXTS" "$GITHUB_EVENT_NAME"
"""


def test_each_trigger_gives_its_own_event(bench: Bench) -> None:
    workflow = bench.load(EVENTS)
    given = {"needed": "x", "dry": "true"}
    runs = [
        run_workflow(workflow, trigger, bench.machine)
        for trigger in (
            workflow_trigger.schedule(workflow, "30 6 * * 1-5"),
            workflow_trigger.by_hand(workflow, given),
            workflow_trigger.by_api(workflow, "oss-backup", {"profile": "nightly"}),
        )
    ]
    assert [run.conclusion for run in runs] == ["success"] * 3
    assert said(runs[0]) == ["schedule/30 6 * * 1-5//", "wet/null//", "null/", "schedule"]
    assert said(runs[1]) == ["workflow_dispatch///usual", "dry/true/3/never", '"true"/', "workflow_dispatch"]
    assert said(runs[2]) == ["repository_dispatch//oss-backup/", "wet/null//", "null/nightly", "repository_dispatch"]
    assert workflow_trigger.schedule(workflow).event == {"schedule": "0 18 * * *"}


@pytest.mark.parametrize(
    ("inputs", "word"),
    [
        ({}, "Required input 'needed'"),
        ({"needed": "x", "bucket": "evil"}, 'Unexpected inputs provided: ["bucket"]'),
        ({"needed": "x", "dry": "yes"}, "not of type boolean"),
        ({"needed": "x", "dry": True}, "no text"),
        ({"needed": "x", "count": "many"}, "not of type number"),
        ({"needed": "x", "when": "sometimes"}, "allowed values"),
        ({"needed": "x" * 65_536}, "65535"),
    ],
)
def test_what_a_person_may_not_give(bench: Bench, inputs: dict[str, str], word: str) -> None:
    with pytest.raises(WorkflowError, match=word.replace("[", r"\[").replace("]", r"\]")):
        workflow_trigger.by_hand(bench.load(EVENTS), inputs)


def test_what_does_not_start_a_workflow(bench: Bench) -> None:
    workflow = bench.load(EVENTS)
    with pytest.raises(WorkflowError, match="no schedule '0 19"):
        workflow_trigger.schedule(workflow, "0 19 * * *")
    with pytest.raises(WorkflowError, match="does not listen to the type 'other'"):
        workflow_trigger.by_api(workflow, "other")
    with pytest.raises(WorkflowError, match="101 characters"):
        workflow_trigger.by_api(workflow, "x" * 101)
    with pytest.raises(WorkflowError, match="No more than 10 properties"):
        workflow_trigger.by_api(workflow, "oss-backup", dict.fromkeys("abcdefghijk", "x"))
    with pytest.raises(WorkflowError, match="65535"):
        workflow_trigger.by_api(workflow, "oss-backup", {"x": "x" * 65_535})
    quiet = bench.load("on: push\njobs: {one: {runs-on: x, steps: [{run: exit}]}}")
    for start in (workflow_trigger.schedule, workflow_trigger.by_hand):
        with pytest.raises(WorkflowError, match="does not have"):
            start(quiet)
    with pytest.raises(WorkflowError, match="does not have"):
        workflow_trigger.by_api(quiet, "oss-backup")


def test_contexts_environment_and_outputs(bench: Bench) -> None:
    run = bench.hand("""
        on: workflow_dispatch
        env: {ONE: workflow, TWO: workflow, THREE: workflow}
        concurrency: {group: "oss-${{ vars.REGION }}", cancel-in-progress: false}
        jobs:
          one:
            runs-on: x
            env: {TWO: job, THREE: job, REGION: "${{ vars.REGION }}", NONE: "${{ vars.none }}"}
            outputs:
              text: ${{ steps.first.outputs.text }}
              leak: "say ${{ secrets.ROBOT }}"
            steps:
              - id: first
                run: echo "text=from first" >> "$GITHUB_OUTPUT"
              - env: {THREE: step, FIRST: "${{ steps.first.outputs.text }}", ROBOT: "${{ secrets.robot }}"}
                run: |
                  printf 'say=%s\\n' "$ONE/$TWO/$THREE/$REGION/$NONE" "$FIRST/${#ROBOT}" "$ROBOT"
              - run: echo "say=$THREE $GITHUB_JOB $GITHUB_WORKFLOW ${ACTIONS_ID_TOKEN_REQUEST_URL:-no oidc}"
    """)
    assert run.conclusion == "success", run.log
    assert said(run) == ["workflow/job/step/cn-hangzhou/", "from first/19", "***", "job one  no oidc"]
    assert run.jobs["one"].outputs == {"text": "from first"}
    assert "Skip output 'leak'" in run.log and "s3cret" not in run.log
    assert run.concurrency == {"group": "oss-cn-hangzhou", "cancel-in-progress": False}


@pytest.mark.parametrize(
    ("top", "job", "granted"),
    [
        ("", "", False),
        ("permissions: {}", "", False),
        ("permissions: {id-token: write}", "", True),
        ("permissions: {}", "permissions: {id-token: write, contents: read}", True),
        ("permissions: {id-token: write}", "permissions: {contents: read}", False),
        ("permissions: write-all", "", True),
        ("permissions: read-all", "", False),
    ],
)
def test_only_the_permission_gives_the_variables_for_oidc(bench: Bench, top: str, job: str, granted: bool) -> None:
    run = bench.job(
        '- run: echo "say=${ACTIONS_ID_TOKEN_REQUEST_TOKEN:+given}"', f"on: workflow_dispatch\n{top}", more=job
    )
    assert said(run) == ["given" if granted else ""]


def test_conditions_of_steps_and_jobs(bench: Bench) -> None:
    run = bench.hand("""
        on: workflow_dispatch
        jobs:
          skipped:
            if: github.event_name == 'schedule'
            runs-on: x
            steps: [{run: echo say=never}]
          fails:
            runs-on: x
            steps:
              - {run: echo say=first}
              - {run: exit 3, id: bad}
              - {run: echo say=not this}
              - {if: always(), run: "echo say=${{ steps.bad.outcome }} ${{ job.status }}"}
              - {if: failure(), run: echo say=last}
          goes-on:
            runs-on: x
            steps:
              - {run: exit 3, continue-on-error: true}
              - {run: echo say=goes on}
    """)
    assert said(run) == ["first", "failure failure", "last", "goes on"]
    assert {name: job.conclusion for name, job in run.jobs.items()} == {
        "skipped": "skipped", "fails": "failure", "goes-on": "success",
    }  # fmt: skip
    assert run.conclusion == "failure"


def test_on_a_cancelled_job_only_what_asks_for_it_runs_and_is_left_to_its_work(bench: Bench) -> None:
    bench.put("workspace/action.yml", """
        runs: {using: composite, steps: [{shell: bash, run: sleep 0.2; echo say=action}]}
    """)  # fmt: skip
    cancel = threading.Event()
    text = """
        on: workflow_dispatch
        jobs:
          one:
            runs-on: x
            steps:
              - run: echo say=started; exec sleep 60
              - run: echo say=never
              - if: cancelled()
                run: sleep 0.2; echo "say=${{ job.status }}"
              - if: always()
                uses: ./
    """

    def stop(line: str) -> None:
        if line == "say=started":
            cancel.set()

    run = bench.hand(text, cancel=cancel, echo=stop)
    assert said(run) == ["started", "cancelled", "action"], run.log
    assert run.conclusion == "cancelled"
    assert [step.outcome for step in run.jobs["one"].steps if step.depth == 0] == [
        "cancelled", "skipped", "success", "success",
    ]  # fmt: skip
    early = bench.hand(text, cancel=cancel)
    assert (said(early), early.conclusion) == (["cancelled", "action"], "cancelled"), "cancelled before it began"


def test_actions_of_this_and_of_another_repository(bench: Bench) -> None:
    action = """
        name: x
        inputs: {who: {default: nobody}, flag: {}}
        outputs: {hello: {value: "hello ${{ inputs.who }}"}}
        runs:
          using: composite
          steps:
            - shell: bash
              env: {FLAG: "${{ inputs.flag }}"}
              run: echo "say=${{ inputs.who }} $FLAG from $(basename "$GITHUB_ACTION_PATH")"
    """
    bench.put("workspace/action.yml", action)
    bench.put("library/action.yml", action)
    bench.put("library/inner/action.yml", action)
    run = bench.job("""
        - uses: actions/checkout@v5
          with: {persist-credentials: false}
        - {uses: ./, id: mine, with: {who: me, flag: true}}
        - {uses: OWNER/library@v1, with: {who: "${{ steps.mine.outputs.hello }}"}}
        - {uses: OWNER/library/inner@v1}
    """)
    assert run.conclusion == "success", run.log
    assert said(run) == ["me true from workspace", "hello me  from library", "nobody  from inner"]
    assert [step.depth for step in run.jobs["one"].steps] == [0, 1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("uses", ["OWNER/library@v2", "OWNER/other@v1", "docker://alpine", "OWNER/library"])
def test_an_action_that_nothing_stands_for_is_refused_before_the_first_step(bench: Bench, uses: str) -> None:
    run = bench.job(f"- run: echo say=never\n- uses: {uses}")
    assert run.conclusion == "failure" and said(run) == []
    assert wrong(run) == [
        f"Unable to resolve action '{uses}': nothing is downloaded, and no local folder stands for it"
    ]


def test_a_local_action_needs_a_checkout(bench: Bench) -> None:
    run = bench.job("- uses: ./")
    assert run.conclusion == "failure" and "Did you forget to run actions/checkout" in wrong(run)[0]


def test_each_step_of_a_job_may_annotate_ten_times(bench: Bench) -> None:
    loud = "- run: for i in $(seq 12); do echo ::warning::$i; done"
    run = bench.job(f"{loud}\n{loud}")
    assert len(run.jobs["one"].annotations) == 20


MATRIX = """
    on: workflow_dispatch
    jobs:
      first:
        runs-on: x
        strategy:
          fail-fast: %s
          matrix: {n: [1, 2, 3]}
        steps:
          - run: |
              echo "say=${{ matrix.n }} of ${{ strategy.job-total }}, number ${{ strategy.job-index }}"
              test ${{ matrix.n }} != %d
      last:
        needs: first
        runs-on: x
        if: %s
        steps: [{run: 'echo "say=first ended as ${{ needs.first.result }}"'}]
"""
THREE = ["1 of 3, number 0", "2 of 3, number 1", "3 of 3, number 2"]


@pytest.mark.parametrize(
    ("fail_fast", "bad", "condition", "expected"),
    [
        ("true", 0, "", [*THREE, "first ended as success"]),
        ("true", 2, "", THREE[:2]),
        ("false", 2, "", THREE),
        ("false", 2, "${{ !cancelled() }}", [*THREE, "first ended as failure"]),
        ("true", 1, "${{ failure() }}", [THREE[0], "first ended as failure"]),
    ],
)
def test_a_matrix_is_a_job_for_each_value_and_needs_wait_for_all_of_them(
    bench: Bench, fail_fast: str, bad: int, condition: str, expected: list[str]
) -> None:
    run = bench.hand(MATRIX % (fail_fast, bad, condition or '""'))
    assert said(run) == expected
    ended = {name: job.conclusion for name, job in run.jobs.items()}
    assert list(ended) == ["first (1)", "first (2)", "first (3)", "first", "last"]
    assert run.conclusion == ("failure" if bad else "success")
    if bad == 1:
        assert list(ended.values()) == ["failure", "cancelled", "cancelled", "failure", "success"]
    if bad == 2 and not condition:
        assert ended["last"] == "skipped"


LIBRARY_WORKFLOW = """
    on:
      workflow_call:
        inputs:
          profile: {type: string, required: true}
          dry: {type: boolean, default: false}
          minutes: {type: number, default: 5}
          region: {type: string, default: "${{ vars.REGION }}"}
        secrets:
          ROBOT: {required: true}
          OTHER: {required: false}
        outputs:
          text: {value: "${{ jobs.inner.outputs.text }}!"}
    permissions: {}
    env: {TOP: of the called}
    jobs:
      inner:
        runs-on: x
        permissions: {id-token: write}
        outputs: {text: "${{ steps.say.outputs.text }}"}
        steps:
          - id: say
            env:
              GIVEN: ${{ inputs.profile }}/${{ toJSON(inputs.dry) }}/${{ inputs.minutes }}/${{ inputs.region }}
              SECRETS: ${{ secrets.ROBOT != '' }}/${{ secrets.OTHER != '' }}/${{ secrets.UNNAMED != '' }}
            run: |
              printf 'say=%s\\n' "$GIVEN" "$SECRETS" "$TOP/$CALLER/$GITHUB_EVENT_NAME/$GITHUB_WORKFLOW" \\
                "${ACTIONS_ID_TOKEN_REQUEST_URL:+oidc}"
              echo "text=done" >> "$GITHUB_OUTPUT"
"""
CALLER = """
    name: the caller
    on: workflow_dispatch
    permissions: {}
    env: {CALLER: not seen}
    jobs:
      outer:
        permissions: {id-token: write, contents: read}
        uses: OWNER/library/.github/workflows/backup.yml@v1
        with: {profile: "${{ github.event.inputs.none || 'nightly' }}", dry: true, minutes: 7}
        secrets: {ROBOT: "${{ secrets.ROBOT }}"}
"""


def test_a_reusable_workflow_is_called(bench: Bench) -> None:
    bench.put("library/.github/workflows/backup.yml", LIBRARY_WORKFLOW)
    run = bench.hand(CALLER)
    assert run.conclusion == "success", run.log
    assert said(run) == [
        "nightly/true/7/cn-hangzhou",
        "true/false/false",
        "of the called//workflow_dispatch/the caller",
        "oidc",
    ]
    assert run.jobs["outer / inner"].outputs == {"text": "done"}
    assert run.jobs["outer"].outputs == {"text": "done!"}
    inherits = CALLER.replace('{ROBOT: "${{ secrets.ROBOT }}"}', "inherit")
    assert said(bench.hand(inherits))[1] == "true/false/false"


def test_a_called_workflow_in_the_same_repository(bench: Bench) -> None:
    bench.put("repository/.github/workflows/backup.yml", LIBRARY_WORKFLOW)
    run = bench.hand(CALLER.replace("OWNER/library/.github/workflows/backup.yml@v1", "./.github/workflows/backup.yml"))
    assert run.jobs["outer"].outputs == {"text": "done!"}


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("id-token: write, ", "", "requesting 'id-token: write', but is only allowed 'id-token: none'"),
        ("        permissions: {id-token: write, contents: read}\n", "", "requesting 'id-token: write'"),
        ("dry: true", "dry: 'true'", "no boolean"),
        ("minutes: 7", "minutes: many", "no number"),
        ("minutes: 7", "bucket: evil", "Invalid input, bucket"),
        ("with: {profile:", "with: {profile_:", "Invalid input, profile_"),
        (
            "with: {profile: \"${{ github.event.inputs.none || 'nightly' }}\", dry: true, minutes: 7}",
            "with: {}",
            "Input profile is required",
        ),
        ("profile: \"${{ github.event.inputs.none || 'nightly' }}\"", 'profile: "${{ github.event }}"', "no string"),
        ('{ROBOT: "${{ secrets.ROBOT }}"}', "{}", "Secret ROBOT is required"),
        ("secrets: {ROBOT:", "secrets: {NEW: x, ROBOT:", "Invalid secret, NEW"),
        ("backup.yml@v1", "backup.yml@v2", "no local folder stands for it"),
        ("backup.yml@v1", "missing.yml@v1", "No such file"),
        (".github/workflows/backup.yml@v1", "backup.yml@v1", "no local folder stands for it"),
    ],
)
def test_a_call_that_github_would_refuse(bench: Bench, old: str, new: str, word: str) -> None:
    bench.put("library/.github/workflows/backup.yml", LIBRARY_WORKFLOW)
    assert old in CALLER
    with pytest.raises(WorkflowError, match=word):
        bench.hand(CALLER.replace(old, new))


@pytest.mark.parametrize(
    ("job", "word"),
    [
        ("{runs-on: \"${{ fromJSON('[]') }}\", steps: [{run: exit}]}", "no labels"),
        ('{runs-on: "${{ vars.none }}", steps: [{run: exit}]}', "no labels"),
        ('{runs-on: [x, "${{ env.X }}"], steps: [{run: exit}]}', "env"),
        ("{runs-on: \"${{ fromJSON('[') }}\", steps: [{run: exit}]}", "fromJson"),
        ("{runs-on: x, timeout-minutes: soon, steps: [{run: exit}]}", "no number"),
        ("{runs-on: x, concurrency: {foo: 1}, steps: [{run: exit}]}", "Unexpected value 'foo'"),
    ],
)
def test_a_job_that_has_no_place_to_run(bench: Bench, job: str, word: str) -> None:
    with pytest.raises(WorkflowError, match=word):
        bench.hand(f"on: workflow_dispatch\njobs:\n  one: {job}\n")


def test_a_job_may_compute_its_place(bench: Bench) -> None:
    more = "timeout-minutes: ${{ 7 }}"
    run = bench.job("- run: exit", "on: workflow_dispatch\nenv: {A: b}", more=more)
    assert run.conclusion == "success"
    text = """
        on: workflow_dispatch
        jobs:
          one:
            runs-on: ${{ fromJSON('["self-hosted", "linux"]') }}
            steps: [{run: exit}]
    """
    assert bench.hand(text).conclusion == "success"


def test_only_a_workflow_that_says_so_is_reusable_and_not_endlessly(bench: Bench) -> None:
    bench.put("library/.github/workflows/backup.yml", "on: push\njobs: {a: {runs-on: x, steps: [{run: exit}]}}")
    with pytest.raises(WorkflowError, match="not reusable"):
        bench.hand("""
            on: workflow_dispatch
            jobs: {outer: {uses: OWNER/library/.github/workflows/backup.yml@v1}}
        """)
    itself = "on: [workflow_call, workflow_dispatch]\njobs: {a: {uses: ./.github/workflows/test.yml}}"
    with pytest.raises(WorkflowError, match="10 deep"):
        bench.hand(itself)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("jobs: {a: {runs-on: x, steps: []}}", "needs `on`"),
        ("on: push", "at least one job"),
        ("on: push\nfoo: 1\njobs: {}", "Unexpected value 'foo'"),
        ("on: push\njobs: {a: {runs-on: x, strategy: {x: 1}, steps: []}}", "Unexpected value 'x'"),
        ("on: push\njobs: {a: {runs-on: x, strategy: {matrix: {n: []}}, steps: []}}", "no list"),
        ("on: push\njobs: {a: {runs-on: x, strategy: {matrix: {include: [1]}}, steps: []}}", "no list"),
        ('on: push\njobs: {a: {runs-on: x, strategy: {matrix: {n: "${{ fromJSON(1) }}"}}, steps: []}}', "no list"),
        ("on: push\njobs: {a: {runs-on: x, strategy: {fail-fast: false}, steps: []}}", "the strategy of a"),
        ("on: push\njobs: {a: {runs-on: x, needs: b, steps: []}}", "unknown job 'b'"),
        ("on: push\njobs: {a: {runs-on: x, needs: b, steps: []}, b: {runs-on: x, steps: []}}", "below it"),
        ("on: push\njobs: {a: {steps: [{run: x}]}}", "runs-on"),
        ("on: push\njobs: {a: {runs-on: x, steps: [{run: x, foo: 1}]}}", "Unexpected value 'foo'"),
        ("on: push\njobs: {a: {runs-on: x, steps: [{run: x, id: a}, {run: y, id: A}]}}", "more than once"),
        ('on: push\njobs: {a: {runs-on: x, steps: [{run: "${{ secret.x }}"}]}}', "secret"),
        ('on: push\njobs: {a: {runs-on: x, steps: [{run: x, if: "secrets.x"}]}}', "secrets"),
        ('on: push\njobs: {a: {runs-on: x, if: "secrets.x", steps: [{run: x}]}}', "secrets"),
        ("on: push\npermissions: {id-tokens: write}\njobs: {a: {runs-on: x, steps: []}}", "id-tokens"),
        ("on: push\npermissions: {id-token: read}\njobs: {a: {runs-on: x, steps: []}}", "id-token: read"),
        ("on: {schedule: [{cron: '@daily'}]}\njobs: {a: {runs-on: x, steps: []}}", "five fields"),
        ("on: {workflow_dispatch: {inputs: {a: {type: text}}}}\njobs: {a: {runs-on: x, steps: []}}", "type 'text'"),
        ("on: {workflow_dispatch: {inputs: {a: {type: choice}}}}\njobs: {a: {runs-on: x, steps: []}}", "has options"),
        (
            "on: {workflow_dispatch: {inputs: {a: {type: boolean, default: 'no'}}}}\n"
            "jobs: {a: {runs-on: x, steps: []}}",
            "default",
        ),
        ("on: {workflow_call: {inputs: {a: {}}}}\njobs: {a: {runs-on: x, steps: []}}", "type ''"),
        (
            "on: {workflow_dispatch: {inputs: {" + ", ".join(f"i{n}: {{}}" for n in range(26)) + "}}}\n"
            "jobs: {a: {runs-on: x, steps: []}}",
            "26 inputs",
        ),
        ("on: push\non: pull\njobs: {}", "already defined"),
        ("[", "not valid YAML"),
    ],
)
def test_a_file_that_github_would_not_load_or_that_is_beyond_this_runner(bench: Bench, text: str, word: str) -> None:
    with pytest.raises(WorkflowError, match=word):
        bench.load(text)
