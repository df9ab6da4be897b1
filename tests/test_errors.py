"""Every error is one line, and text, whatever a file or a path put into it."""

import pickle

import pytest

from parw2v import errors
from parw2v.checkpoint import check_same_run
from parw2v.errors import ModelError, Parw2vError

HOSTILE = "a\nb\r\t\x1b[2J\0\u202e\u2028\ud800é 한국어"
SHOWN = r"a\nb\r\t\x1b[2J\x00\u202e\u2028\ud800é 한국어"


@pytest.mark.parametrize("kind", [kind for kind in vars(errors).values() if isinstance(kind, type)])
def test_what_cannot_be_printed_is_escaped(kind):
    error = kind(HOSTILE)
    assert str(error) == SHOWN
    assert isinstance(error, Parw2vError)
    assert str(pickle.loads(pickle.dumps(error))) == SHOWN  # a worker's comes back as it was


def test_names_and_values_out_of_a_file_stay_in_the_line(tmp_path):
    with pytest.raises(ModelError) as caught:
        check_same_run(tmp_path / "a\nb.npz", {"x\n": "1\n2"}, {})
    assert str(caught.value).count(r"\n") == 3
    assert str(caught.value).isprintable()
