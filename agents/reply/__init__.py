"""Reading replies: which of the shown titles a simulated user accepts and how it ranks them."""

from agents.reply.parser import decided, parse
from agents.reply.titles import Mention, TitleIndex
from agents.reply.verbatim import VerbatimTitles
from agents.reply.verdict import Asked, Status, Verdict

__all__ = ["Asked", "Mention", "Status", "TitleIndex", "VerbatimTitles", "Verdict", "decided", "parse"]
