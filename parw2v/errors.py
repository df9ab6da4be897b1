"""Every error that parw2v raises on purpose.

::

    Parw2vError                 base class; the command line prints its one line and exits with status 2
    ├── SettingsError           a setting outside its range, or settings that contradict each other
    ├── CorpusError             text that cannot be read or that leaves nothing to train on
    │   └── DocumentError       a document that is neither a string nor a list of words
    ├── VocabularyError         a vocabulary too small to train, a damaged file, a word that is not in it
    ├── QueryError              a question that no model could answer: a vector of another length, too few words
    ├── PhrasesError            a damaged file of phrases, words that cannot be written as text
    ├── ModelError              a model or checkpoint file that is damaged or does not fit
    ├── EvaluationError         a question or similarity file that cannot be used
    ├── DownloadError           a data set that could not be fetched or failed its checksum
    └── TrainingError           a run that had to stop
        ├── DivergedError       the parameters are no longer finite
        ├── WorkerError         workers died or failed more often than a run puts up with
        ├── SharedMemoryError   the matrices do not fit in shared memory
        └── MemoryLimitError    training needs more memory than there is

Each message names the value that caused it and says what to do about it, in one line.
"""


class Parw2vError(Exception):
    """Base class of every error raised on purpose.

    Whatever a file, a path or a server contributed to the message, it is one line that a terminal takes as text: a character
    that cannot be printed stands there as a backslash escape.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if c.isprintable() else ascii(c)[1:-1] for c in message))


class SettingsError(Parw2vError, ValueError):
    """A setting is outside its range, or two settings contradict each other."""


class CorpusError(Parw2vError):
    """Text cannot be read, or leaves nothing to train on."""


class DocumentError(CorpusError, ValueError):
    """Documents are neither strings nor lists of words, or there are none."""


class VocabularyError(Parw2vError):
    """A vocabulary is too small, its file is damaged, or a word is not in it."""


class QueryError(Parw2vError, ValueError):
    """A question that no model could answer: empty, a vector of another length, too few words."""


class PhrasesError(Parw2vError):
    """A file of phrases is damaged, or words cannot be written as text."""


class ModelError(Parw2vError):
    """A model or checkpoint file is damaged, or does not fit what it is used with."""


class EvaluationError(Parw2vError):
    """A file of questions or of similarity judgements cannot be used."""


class DownloadError(Parw2vError):
    """A data set could not be fetched, or failed its checksum."""


class TrainingError(Parw2vError):
    """A run had to stop."""


class DivergedError(TrainingError):
    """The parameters are no longer finite numbers."""


class WorkerError(TrainingError):
    """Worker processes died or failed more often than a run puts up with."""


class SharedMemoryError(TrainingError):
    """The parameter matrices do not fit in shared memory."""


class MemoryLimitError(TrainingError):
    """Training needs more memory than the machine, its container or a limit of the process has left."""
