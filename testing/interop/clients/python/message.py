"""A received Application Message, the same for all asyncio libraries."""

import collections

Message = collections.namedtuple("Message", "topic payload qos retain properties")
