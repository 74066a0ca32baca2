"""Calls that survive bad days: retry, circuit breaker, deadlines, limits, and one policy for all.

Rules here are pure, time and random are arguments, and state belongs to what a policy is attached
to. This room must never learn what is called.
"""

from __future__ import annotations

from .breaker import CircuitBreaker, CircuitBreakerConfig, CircuitBreakerState
from .clock import SYSTEM_CLOCK, Clock, SystemClock
from .deadline import Deadline
from .limits import Bulkhead, Rate, RateLimiter
from .policy import Policy
from .retry import RetryBudget, RetryPolicy
from .runner import Runner

__all__ = [
    "Bulkhead",
    "CircuitBreaker",
    "CircuitBreakerConfig",
    "CircuitBreakerState",
    "Clock",
    "Deadline",
    "Policy",
    "Rate",
    "RateLimiter",
    "RetryBudget",
    "RetryPolicy",
    "Runner",
    "SYSTEM_CLOCK",
    "SystemClock",
]
