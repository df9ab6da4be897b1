"""Made-up documents of twenty categories, the same at every call: short texts for trying classifiers on.

What makes them hard, and like real ones:

- Each category has some forty words in ten groups of near-synonyms, and a document keeps to three or four groups and,
  mostly, to one word of each, as an author does: two documents of a category often share no telling word.
- Some words belong to several categories (a court, a pitch, a bass, a cell, a star).
- Most sentences of a document are of no category: they come from parw2v's built-in sample. Some are of another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from parw2v.sample import sample_sentences

TOPICS: dict[str, str] = {
    "astronomy": """star sun supernova quasar | telescope observatory lens antenna | planet jupiter saturn venus
        | comet meteor asteroid meteorite | orbit ellipse rotation eclipse | galaxy nebula constellation cluster
        | rocket probe satellite lander | light spectrum radiation wavelength | gravity mass tide attraction
        | astronomer observer stargazer astronaut""",
    "medicine": """doctor surgeon physician consultant | nurse midwife paramedic carer | pill tablet vaccine antibiotic
        | fever cough headache rash | hospital clinic ward surgery | heart lung kidney liver
        | virus infection cell tumour
        | scan biopsy diagnosis examination | bandage plaster stitches splint | patient invalid sufferer outpatient""",
    "law": """judge magistrate jury bench | lawyer barrister solicitor attorney | trial hearing lawsuit appeal
        | thief burglar murderer fraudster | prison jail cell custody | witness testimony affidavit alibi
        | court tribunal dock courtroom | statute clause constitution decree | verdict sentence acquittal conviction
        | fine damages bail penalty""",
    "cooking": """soup stew broth casserole | pan skillet saucepan wok | pepper cumin paprika thyme
        | butter cream cheese yoghurt | chop dice grate slice | boil simmer roast fry | flour dough yeast pastry
        | chef cook baker caterer | onion garlic leek shallot | recipe dish menu serving""",
    "football": """goal penalty header equaliser | striker winger goalkeeper defender | referee linesman umpire whistle
        | pitch stadium turf terrace | league cup tournament championship | coach manager trainer captain
        | tackle pass dribble cross | fans supporters crowd spectators | transfer contract loan signing
        | match derby fixture replay""",
    "music": """violin cello viola bass | piano organ harpsichord keyboard | singer soprano tenor baritone
        | symphony concerto sonata overture | chord harmony scale key | conductor composer maestro soloist
        | concert recital gig festival | rhythm beat tempo metre | pitch note tone semitone
        | album record single track""",
    "computing": """program code script software | compiler interpreter debugger linker | keyboard mouse screen monitor
        | server network router cluster | memory disk cache register | bug crash virus glitch
        | programmer developer coder hacker | file folder directory archive | algorithm loop function recursion
        | password login account encryption""",
    "gardening": """rose tulip daisy lily | seed bulb cutting seedling | spade fork rake hoe
        | compost manure mulch fertiliser
        | prune trim graft thin | weed nettle thistle dandelion | greenhouse shed cloche frame | hedge lawn border bed
        | slug aphid caterpillar mildew | gardener landscaper florist nurseryman""",
    "finance": """bank lender broker insurer | loan mortgage credit overdraft | share stock bond dividend
        | profit revenue earnings turnover | market exchange trading bourse | debt deficit bankruptcy default
        | interest inflation yield rate | investor shareholder creditor banker | tax duty levy tariff
        | account ledger balance audit""",
    "sailing": """sail mast rigging boom | anchor mooring buoy berth | captain skipper helmsman crew
        | harbour port marina dock | wave swell tide current | yacht schooner ketch dinghy
        | compass chart sextant lighthouse
        | deck hull keel rudder | gale storm breeze squall | race regatta crossing voyage""",
    "railways": """locomotive engine shunter railcar | carriage wagon coach sleeper | platform station halt terminus
        | track rail points sleeper | driver guard conductor stoker | signal semaphore crossing level
        | ticket fare season reservation | timetable delay connection departure | tunnel viaduct cutting bridge
        | steam diesel electric freight""",
    "weather": """rain drizzle shower downpour | snow hail sleet blizzard | sun sunshine heat warmth
        | wind breeze gale hurricane | cloud fog mist haze | forecast outlook warning bulletin
        | pressure barometer front isobar | thunder lightning storm tempest | frost ice freeze thaw
        | drought flood heatwave avalanche""",
    "war": """soldier private corporal infantryman | general colonel marshal commander | tank gun cannon mortar
        | battle siege assault skirmish | trench bunker fort front | bomb shell grenade mine
        | army regiment brigade battalion
        | truce ceasefire surrender armistice | spy scout sniper saboteur | wounded casualties prisoners refugees""",
    "theatre": """actor actress understudy cast | stage curtain wings set | play comedy tragedy farce
        | director producer playwright prompter | costume wig makeup mask | applause ovation encore curtsy
        | rehearsal audition premiere matinee | scene act dialogue monologue | critic review reviewer column
        | box balcony stalls gallery""",
    "animals": """lion tiger leopard jaguar | elephant rhinoceros hippopotamus giraffe | wolf fox jackal hyena
        | seal walrus otter dolphin | eagle hawk falcon crane | zoo reserve enclosure cage | herd pack flock pride
        | prey hunt stalk pounce | fur mane stripes spots | cub calf pup litter""",
    "painting": """canvas panel easel frame | oil watercolour gouache tempera | portrait landscape still mural
        | brush palette knife sponge | gallery museum exhibition auction | painter artist sculptor engraver
        | red crimson ochre turquoise | sketch outline study cartoon | impressionism cubism baroque romanticism
        | light shadow contrast perspective""",
    "chemistry": """acid alkali base salt | oxygen hydrogen nitrogen chlorine | molecule atom ion compound
        | flask beaker pipette burette | reaction oxidation combustion catalysis | copper zinc sodium potassium
        | solution solvent mixture precipitate | chemist laboratory researcher technician
        | bond electron orbital valence
        | scale balance titration litmus""",
    "school": """teacher tutor headmaster lecturer | pupil student classmate prefect | lesson class lecture seminar
        | exam test quiz coursework | grade mark score report | algebra geometry grammar spelling
        | desk blackboard chalk board
        | homework essay exercise project | term holiday semester break | uniform satchel textbook pencil""",
    "religion": """priest vicar bishop deacon | church chapel cathedral abbey | prayer hymn psalm blessing
        | baptism communion confession confirmation | monk nun friar hermit | saint martyr prophet apostle
        | altar pulpit organ font | sermon mass service vespers | faith belief grace salvation
        | pilgrim parish crusade relic""",
    "tennis": """serve volley backhand forehand | racket string grip frame | court net baseline tramlines
        | umpire linesman referee judge | set game tiebreak rally | champion finalist seed qualifier
        | tournament final round draw | ace fault deuce smash | clay grass indoor hard
        | coach trainer doubles partner""",
}
"""Category to its groups of near-synonyms."""

TEMPLATES = tuple(
    """
    the {a} and the {b} were mentioned
    {a} and {b} again
    nobody had thought of the {a} before the {b}
    there was much talk of {a}
    they asked about the {a} and about the {b}
    what mattered most was the {a}
    with the {b} came another {a}
    {a} is often all that is left of {b}
    it began with {a} and it ended with {b}
    some prefer {a} to {b}
    a good {a} needs a good {b}
    we remember the {a} best
    without {a} there is no {b}
    in the end the {a} was as important as the {b}
    """.strip().splitlines()
)

SENTENCES = (6, 13)
"""In a document, from the first to one less than the second."""

OWN, OTHER = 0.3, 0.15
"""Shares of the sentences that are of the document's category, and of another; the rest are of none."""

GROUPS = 4
"""Groups of words that a document keeps to, of the ten of its category."""

FAITHFUL = 0.85
"""How often the word of a group is the one that its author likes."""


class Document(NamedTuple):
    """A text and the number of its category in `TOPICS`; a sentence on a line."""

    text: str
    category: int


def documents(n: int, seed: int) -> list[Document]:
    """`n` documents, of all categories alike (give or take one), in random order."""
    rng = np.random.default_rng(seed)
    groups = [[group.split() for group in words.split("|")] for words in TOPICS.values()]
    plain = [" ".join(words) for words in sample_sentences()]
    categories = rng.permutation(np.arange(n) % len(TOPICS))
    return [Document(_text(groups, int(category), plain, rng), int(category)) for category in categories]


def _text(groups: Sequence[Sequence[list[str]]], category: int, plain: list[str], rng: np.random.Generator) -> str:
    mine = _liked(groups[category], rng)
    lines = []
    for kind in rng.random(rng.integers(*SENTENCES)):
        if kind < OWN:
            lines.append(_sentence(mine, rng))
        elif kind < OWN + OTHER:
            lines.append(_sentence(_liked(groups[rng.integers(len(groups))], rng), rng))
        else:
            lines.append(plain[rng.integers(len(plain))])
    return "\n".join(lines)


def _liked(groups: Sequence[list[str]], rng: np.random.Generator) -> list[tuple[str, list[str]]]:
    """Some groups, each with the word that an author likes."""
    chosen = [groups[i] for i in rng.choice(len(groups), GROUPS, replace=False)]
    return [(group[rng.integers(len(group))], group) for group in chosen]


def _sentence(liked: list[tuple[str, list[str]]], rng: np.random.Generator) -> str:
    words = []
    for i in rng.choice(len(liked), 2, replace=False):
        favourite, group = liked[i]
        words.append(favourite if rng.random() < FAITHFUL else group[rng.integers(len(group))])
    return TEMPLATES[rng.integers(len(TEMPLATES))].strip().format(a=words[0], b=words[1])
