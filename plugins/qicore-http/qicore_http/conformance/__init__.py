"""What every HTTP client keeps, whatever sends its requests: the contract a driver's author runs.

```python
class TestDuck(HttpContract):
    client = "duck"
```

It goes through the real door and the driver's entry point, to a small real server; pytest,
hypothesis and trustme come with `qicore-http[testing]`.
"""

from __future__ import annotations

from .answers import AnswerLaws
from .bodies import BodyLaws
from .calls import CallLaws
from .downloads import DownloadLaws
from .faults import FaultLaws
from .guards import GuardLaws
from .keeping import KeepingLaws
from .pair import Pair
from .proxies import ProxyServer
from .reach import ReachLaws
from .redirects import RedirectLaws
from .requests import RequestLaws
from .secrecy import SecrecyLaws
from .server import Seen, Server, reply

__all__ = ["HttpContract", "Pair", "ProxyServer", "Seen", "Server", "reply"]


class HttpContract(
    RequestLaws,
    BodyLaws,
    AnswerLaws,
    RedirectLaws,
    FaultLaws,
    CallLaws,
    GuardLaws,
    KeepingLaws,
    DownloadLaws,
    SecrecyLaws,
    ReachLaws,
    abstract=True,
):
    """The laws of an HTTP client, for the transport named `client`."""
