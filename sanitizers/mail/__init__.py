"""One mail in, one mail of our own writing out: `sanitize_mail` and what it needs."""

from sanitizers.mail.limits import MailLimits
from sanitizers.mail.options import MailOptions
from sanitizers.mail.sanitize import sanitize_mail
from sanitizers.mail.verify import Unverified, verify_mail

__all__ = ["MailLimits", "MailOptions", "Unverified", "sanitize_mail", "verify_mail"]
