"""Prompt templates as data: families of files, their loader, and a renderer that only ever inserts."""

from prompts.blind import TitleBlind
from prompts.domain import Domain, domain
from prompts.family import Asks, Family, ListForm, load_family
from prompts.sessions import session_template
from prompts.template import Template, TemplateError
from prompts.titles import inline

__all__ = [
    "Asks",
    "Domain",
    "Family",
    "ListForm",
    "Template",
    "TemplateError",
    "TitleBlind",
    "domain",
    "inline",
    "load_family",
    "session_template",
]
