"""The codes that the core itself gives; a code means one thing for ever.

Drivers and domains keep their codes beside their `ErrorMap`; what two rooms of the core share has
its name here. Below each stands its meaning: the category (several with "or" between), what
happened, and what to do. Python drops such texts when it compiles; `qicore explain` and the
reference page read them from this file.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# error, result, boundary, opening
UNEXPECTED_EXCEPTION: Final = "UNEXPECTED_EXCEPTION"
"""UNKNOWN or TIMEOUT or NETWORK or NOT_FOUND or PERMISSION or EXHAUSTED: an exception was caught
that no table knows.

Its type and place are in the cause and in `context["at"]`. If it is expected, give it a row in
the ErrorMap."""

MULTIPLE_ERRORS: Final = "MULTIPLE_ERRORS"
"""UNKNOWN: several things failed; the category is theirs where all agree.

Look at `errors`: each is a QiError of its own."""

VALUE_MISSING: Final = "VALUE_MISSING"
"""NOT_FOUND: an optional value was None where one was needed.

Give one, or say what holds without it: `unwrap_or`, `or_else`."""

STREAM_CLOSED: Final = "STREAM_CLOSED"
"""UNSUPPORTED: a stream was read after it had ended or was closed.

Ask for a new stream; one is read once."""

# plugins
PLUGIN_NOT_FOUND: Final = "PLUGIN_NOT_FOUND"
"""CONFIGURATION: nothing that is installed brings this name.

Correct the name or install its distribution; `qicore plugins list` says what there is."""

PLUGIN_BLOCKED: Final = "PLUGIN_BLOCKED"
"""CONFIGURATION: the plugin is installed, and the plugin policy refuses it.

Change QICORE_PLUGINS or QICORE_PLUGINS_DISABLED, or the policy that the program hands in."""

PLUGIN_CONFLICT: Final = "PLUGIN_CONFLICT"
"""CONFIGURATION: several distributions bring the same name.

Uninstall all but one, or prefer one in QICORE_PLUGINS_PREFER."""

PLUGIN_UNDECIDED: Final = "PLUGIN_UNDECIDED"
"""CONFIGURATION: no driver was named and several are installed.

Name one by the URL."""

PLUGIN_LOAD_FAILED: Final = "PLUGIN_LOAD_FAILED"
"""CONFIGURATION: the plugin's module could not be imported, or its SDK is missing.

Reinstall the distribution; the cause says what was missing."""

PLUGIN_INCOMPATIBLE: Final = "PLUGIN_INCOMPATIBLE"
"""CONFIGURATION: the plugin is made for another version of the core.

pip install --upgrade qicore-core and the plugin's distribution."""

PLUGIN_INVALID: Final = "PLUGIN_INVALID"
"""CONFIGURATION: the plugin does not do what a plugin does: a fault in it.

Upgrade or report it; its author runs `qicore plugins check`."""

PLUGIN_RAISED: Final = "PLUGIN_RAISED"
"""CONFIGURATION: the plugin raised where a Failure was due: a fault in it.

Upgrade or report it, with the cause."""

PLUGIN_POLICY_INVALID: Final = "PLUGIN_POLICY_INVALID"
"""CONFIGURATION: the plugin policy has a setting that cannot be read.

It has `allow`, `deny` and `prefer`; see the how-to on plugins."""

PLUGGY_MISSING: Final = "PLUGGY_MISSING"
"""CONFIGURATION: a plugin manager was asked for and pluggy is not installed.

pip install 'qicore-core[plugins]'"""

# log
INVALID_LOG_CONFIG: Final = "INVALID_LOG_CONFIG"
"""CONFIGURATION: logging was configured with what it does not know.

Correct the setting that the message names."""

LOG_WRITE_FAILED: Final = "LOG_WRITE_FAILED"
"""UNAVAILABLE: a log line could not be written; it is counted and said once on stderr.

Look at where the log goes: a full disk, a closed pipe."""

# runtime
RUNTIME_SECTION_INVALID: Final = "RUNTIME_SECTION_INVALID"
"""CONFIGURATION: a section named as a kind of adapter is no section.

Write `[cache]` and under it `url = "..."`, or `[cache.name]` for several."""

RUNTIME_OPEN_TIMEOUT: Final = "RUNTIME_OPEN_TIMEOUT"
"""TIMEOUT: a section was not opened in time; what was opened is closed.

Raise `open_timeout`, or look at what its opening waits for."""

RUNTIME_CLOSE_TIMEOUT: Final = "RUNTIME_CLOSE_TIMEOUT"
"""TIMEOUT: a component was not closed in time and was left.

Raise `close_timeout`, or look at what its closing waits for."""

HEALTH_TIMEOUT: Final = "HEALTH_TIMEOUT"
"""TIMEOUT: a health check did not answer in time.

Look at the component; it may be overloaded or gone."""

# resilience
CIRCUIT_OPEN: Final = "CIRCUIT_OPEN"
"""UNAVAILABLE: the breaker is open after too many failures; the call was not made.

Wait until it closes, and look at what failed before."""

DEADLINE_EXCEEDED: Final = "DEADLINE_EXCEEDED"
"""TIMEOUT: the total time of an operation, its retries included, is used up.

Give it more time, or look at why it takes so long."""

TIMEOUT_ERROR: Final = "TIMEOUT_ERROR"
"""TIMEOUT: one attempt took longer than it may, or the other side said nothing for too long.

Is it slow? Raise `attempt_timeout`, or http's `idle_timeout`."""

RETRY_BUDGET_EXHAUSTED: Final = "RETRY_BUDGET_EXHAUSTED"
"""EXHAUSTED: too large a share of the calls are retries; this one was not retried.

The other side fails widely: look there first."""

BULKHEAD_FULL: Final = "BULKHEAD_FULL"
"""EXHAUSTED: as many calls as may be are under way.

Raise `bulkhead`, or call less at once."""

RATE_EXCEEDED: Final = "RATE_EXCEEDED"
"""RATE_LIMITED: the call would break the rate that the policy sets.

Wait `retry_after` seconds, or raise `rate`."""

# config
CONFIG_FILE_NOT_FOUND: Final = "CONFIG_FILE_NOT_FOUND"
"""CONFIGURATION: a configuration file is not there.

Write it or correct the path."""

CONFIG_FILE_UNREADABLE: Final = "CONFIG_FILE_UNREADABLE"
"""CONFIGURATION: a configuration file is a directory, may not be read, or is no text.

Correct its kind, its permissions or its encoding (UTF-8)."""

CONFIG_PARSE_ERROR: Final = "CONFIG_PARSE_ERROR"
"""CONFIGURATION: a file or an argument does not keep to its format.

Look at the file, line and column in the context."""

CONFIG_LIMIT_EXCEEDED: Final = "CONFIG_LIMIT_EXCEEDED"
"""CONFIGURATION: a configuration is larger or deeper than any is meant to be.

Is it the right file?"""

CONFIG_KEY_NOT_FOUND: Final = "CONFIG_KEY_NOT_FOUND"
"""CONFIGURATION: nothing says a key that is needed.

Set it where the hint says, or correct its spelling."""

CONFIG_KEY_UNKNOWN: Final = "CONFIG_KEY_UNKNOWN"
"""CONFIGURATION: a key is set that the schema does not have.

Correct its spelling: the hint is the nearest; or remove it."""

CONFIG_TYPE_MISMATCH: Final = "CONFIG_TYPE_MISMATCH"
"""CONFIGURATION: a value is not of the type that is asked for.

Correct it at the place that the message names."""

CONFIG_VALUE_REJECTED: Final = "CONFIG_VALUE_REJECTED"
"""CONFIGURATION: a value has its type, and the schema refuses it.

Correct it; the message is the schema's."""

CONFIG_VALIDATION_FAILED: Final = "CONFIG_VALIDATION_FAILED"
"""CONFIGURATION: several things are wrong with a configuration.

Look at `errors`: each names its key and place."""

CONFIG_ENV_CONFLICT: Final = "CONFIG_ENV_CONFLICT"
"""CONFIGURATION: two environment variables contradict each other.

Unset one of the two that the message names."""

CONFIG_FORMAT_UNKNOWN: Final = "CONFIG_FORMAT_UNKNOWN"
"""CONFIGURATION: nothing here reads files of this ending.

Install the plugin that the hint names; TOML and JSON are read by the core."""

CONFIG_SCHEMA_UNKNOWN: Final = "CONFIG_SCHEMA_UNKNOWN"
"""CONFIGURATION: nothing here reads a schema of this kind.

Make it a dataclass, or install the plugin that the hint names."""
