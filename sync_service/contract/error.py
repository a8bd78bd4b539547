"""The root of the contract's errors.

::

    ContractError
    ├── MalformedError        the bytes hold no value of the contract: don't use them
    │   ├── ChainError        a batch was altered or put together wrongly: refuse it whole
    │   ├── CutShortError     a bundle was not written to its end: have it made anew
    │   └── QuestionnaireError    a questionnaire breaks its rules: mend the places named
    ├── SignatureError        not signed by the key that must have signed: don't use it
    ├── UnknownKeyError       sealed or signed under an algorithm or key not known here: keep it
    ├── UnopenableError       sealed for our key, yet it does not open: keep it, count it
    └── StaleError            a publication older than the one held: keep the one held
"""


class ContractError(Exception):
    """Something from outside does not hold to the contract."""


class MalformedError(ContractError):
    """The bytes hold no value of the contract; the caller must not use them."""


class ChainError(MalformedError):
    """The chain does not hold within a batch: it was altered or put together wrongly."""


class CutShortError(MalformedError):
    """A bundle was not written to its end; use nothing of it, and have it made anew."""


class SignatureError(ContractError):
    """The bytes were not signed by the key that must have signed them; don't use them."""


class UnknownKeyError(ContractError):
    """Sealed or signed under an algorithm or a key that is not known here; keep the bytes."""


class UnopenableError(ContractError):
    """Sealed for a key we hold, and yet it does not open; keep the bytes and count them."""


class StaleError(ContractError):
    """A publication that is not newer than the one already held; keep the one held."""
