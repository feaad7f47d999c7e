"""How near vectors are, and how rankings are joined."""

from hypothesis import given
from hypothesis import strategies as st

from cogyard.domain.meaning import cosine, fuse, nearest_signatures, pack, signature, unpack

vectors = st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=40)


def test_signatures_tell_the_near_from_the_far() -> None:
    wanted = [1.0, 2.0, -3.0, 4.0]
    vectors_by_name = {"far": [-1.0, -2.0, 3.0, -4.0], "near": [2.0, 1.0, -1.0, -1.0], "same": wanted}
    signatures = [(name, signature(vector)) for name, vector in vectors_by_name.items()]

    assert nearest_signatures(signature(wanted), [*signatures, ("longer", b"ab")], 3) == ["same", "near", "far"]


@given(vectors)
def test_a_vector_is_unpacked_as_it_was(vector: list[float]) -> None:
    assert list(unpack(pack(vector))) == vector


@given(vectors)
def test_a_vector_is_nearest_to_itself(vector: list[float]) -> None:
    is_nothing = sum(value * value for value in vector) == 0

    assert abs(cosine(vector, vector) - (0.0 if is_nothing else 1.0)) < 1e-6
    assert abs(cosine(vector, [-value for value in vector]) + cosine(vector, vector)) < 1e-9


def test_what_both_rankings_hold_comes_before_what_one_holds() -> None:
    fused = fuse([["words", "both"], ["meaning", "both"]], 3)

    assert fused[0][0] == "both"
    assert {key for key, _ in fused[1:]} == {"words", "meaning"}
    assert fuse([["a"], ["a"]], 5) == [("a", 2.0)]


@given(st.lists(st.lists(st.integers(0, 30), unique=True), max_size=3), st.integers(0, 40))
def test_a_joint_ranking_holds_each_once_and_keeps_their_order(rankings: list[list[int]], limit: int) -> None:
    fused = fuse(rankings, limit)
    keys = [key for key, _ in fused]
    scores = [score for _, score in fused]

    assert len(keys) == len(set(keys)) == min(limit, len({key for ranking in rankings for key in ranking}))
    assert scores == sorted(scores, reverse=True)
    if len(rankings) == 1:
        assert keys == rankings[0][:limit]
