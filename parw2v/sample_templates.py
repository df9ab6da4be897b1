"""What the sample corpus is made of: rows of particular words, lists of general ones, and sentences with slots.

A slot such as ``{who}`` is filled by :mod:`parw2v.sample`, from the row a sentence is about or else from
:data:`WORDS`; a slot filled twice in one sentence gets two different values where there are as many.
"""


def _rows(table: str, separator: str | None = None) -> dict[str, tuple[str, ...]]:
    """First word of each line to the cells after it."""
    rows: dict[str, tuple[str, ...]] = {}
    for line in table.strip().splitlines():
        key, rest = line.strip().split(maxsplit=1)
        rows[key] = tuple(cell.strip() for cell in rest.split(separator))
    return rows


# capital: nationality, a landscape or a water, a food, two more things the country is known for
COUNTRIES = _rows("""
    ankara      turkish     bosphorus  baklava    kebabs     hazelnuts
    athens      greek       aegean     olives     marble     yoghurt
    baghdad     iraqi       tigris     dates      oil        melons
    beijing     chinese     yangtze    noodles    silk       porcelain
    berlin      german      spree      sausages   engines    pretzels
    budapest    hungarian   tisza      goulash    paprika    embroidery
    cairo       egyptian    nile       falafel    cotton     papyrus
    canberra    australian  outback    steaks     opals      surfboards
    copenhagen  danish      kattegat   pastries   bacon      herring
    dublin      irish       liffey     stew       harps      whiskey
    hanoi       vietnamese  mekong     rice       lacquer    lychees
    havana      cuban       caribbean  rum        cigars     salsa
    helsinki    finnish     tundra     reindeer   saunas     birch
    lima        peruvian    andes      ceviche    flutes     alpacas
    lisbon      portuguese  tagus      sardines   cork       tiles
    london      english     thames     puddings   tea        cricket
    madrid      spanish     ebro       paella     guitars    castanets
    moscow      russian     volga      borscht    ballet     furs
    nairobi     kenyan      savanna    coffee     safaris    beads
    oslo        norwegian   fjords     salmon     skis       waffles
    ottawa      canadian    rockies    pancakes   hockey     timber
    paris       french      seine      croissants perfume    lavender
    rome        italian     tiber      pasta      espresso   mosaics
    stockholm   swedish     baltic     meatballs  matches    furniture
    tehran      iranian     caspian    saffron    carpets    pistachios
    tokyo       japanese    sumida     sushi      robots     kimonos
    vienna      austrian    danube     schnitzel  waltzes    violins
    warsaw      polish      vistula    pierogi    amber      pickles
""")

# the male word: what he or she did
FAMILY = _rows(
    """
    actor learned {his} role for the film | bowed on the stage | thanked the audience | rehearsed in the theatre
    boy did {his} homework for school | ran across the playground | lost {his} toys | raised {his} hand in the classroom
    brother quarrelled with {his} sibling | shared a bed with {his} twin | teased {his} siblings | sat beside {his} twin
    duke inherited the noble title | toured {his} manor | hunted foxes on the estate | let the manor and the estate
    emperor commanded the legions | conquered a vast empire | founded a dynasty | fortified the vast empire
    father rocked the baby in a cradle | scolded {his} naughty kids | fed the hungry baby | packed lunch for the kids
    grandfather knitted by the fireplace | lost {his} spectacles | told tales of the war | dozed in a rocking chair
    groom said the vows at the altar | exchanged rings in church | tossed the bouquet | cut the wedding cake
    host welcomed the guests | planned a dinner party | poured drinks for the guests | lit candles before the party
    husband celebrated the anniversary | went on a honeymoon | stayed happily married | signed the marriage register
    king sat on the golden throne | wore a heavy crown | ruled the kingdom from the palace | greeted the royal court
    landlord collected the rent | repaired a leaking flat | warned the noisy tenants | gave the tenants the spare keys
    man hurried along the street | held an umbrella | greeted a stranger | stood at the corner of the street
    monk prayed in the chapel | rang the abbey bells | copied a holy manuscript | took a vow of silence in the abbey
    nephew got a birthday puzzle | got birthday balloons | sent a postcard from camp | took a puzzle to camp
    prince bowed at the castle ball | fled from a dragon | left the castle in a carriage | was heir to the realm
    son was the eldest and joined the business | inherited the firm | was the youngest | left the family firm
    steward pushed a trolley down the aisle | calmed the passengers in the cabin | checked each seatbelt
    uncle visited {his} relatives | brought gifts for the cousins | spoiled {his} cousins | came to the reunion
    waiter took the order in the restaurant | carried a tray of glasses | brought the menu and the bill | got a tip
    wizard cast a magic spell | stirred a bubbling potion | waved a wand | hid the spell in a cauldron
""",
    "|",
)

# the adjective: things it fits, each more so than the next
THINGS = _rows("""
    big whale elephant bus wardrobe
    bright comet floodlight lamp candle
    cheap pencil sandwich notebook jacket
    clean laboratory hospital kitchen stable
    cold iceberg freezer snowman cellar
    dark dungeon cave forest attic
    deep ocean lake well puddle
    fast rocket jet cheetah motorbike
    hard diamond pebble brick plank
    heavy locomotive anvil piano suitcase
    hot volcano furnace kettle soup
    long railway tunnel corridor rope
    loud explosion siren trumpet whistle
    old fossil pyramid oak bicycle
    poor beggar peasant shepherd clerk
    rich billionaire banker merchant dentist
    sharp razor needle thorn beak
    slow snail tortoise tractor barge
    small atom flea ladybird acorn
    soft feather cushion pillow mattress
    strong gorilla wrestler blacksmith porter
    sweet honeycomb toffee pineapple carrot
    tall skyscraper lighthouse giraffe ladder
    wide bay river avenue alley
""")

# the singular: what one or several of them did
NOUNS = _rows(
    """
    apple fell in the orchard | ripened in a basket | tasted sour and crisp | rolled out of the basket
    bee buzzed around the hive | gathered nectar | stung the gardener | hopped from blossom to blossom
    bird chirped in {its} nest | pecked at seeds | flapped {its} wings | laid eggs in the nest
    boat drifted out of the harbour | raised {its} sails | leaned in the waves | returned to the harbour under sails
    book stood on the library shelf | told an exciting story | lost {its} cover and some pages | came back to the shelf
    car stopped at the traffic lights | needed petrol | skidded on the wet road | sat in a garage without petrol
    cat purred on the sofa | scratched the curtain | licked {its} paws | lapped up milk
    child giggled at the clown | made a sandcastle | skipped to kindergarten | listened to a nursery rhyme
    clock ticked on the mantelpiece | struck midnight | rang an alarm | showed the wrong hour at midnight
    computer crashed after an update | ran the new software | stored {its} files | froze because of a software virus
    cow grazed in the meadow | gave milk to the dairy | mooed at the fence | chewed grass in the meadow
    dog barked at the postman | buried a bone | dreamt in {its} kennel | wagged {its} tail for a bone
    door creaked on rusty hinges | slammed in the draught | needed a new lock | opened with a rusty handle
    frog croaked by the swamp | leapt onto a lily pad | ate a dragonfly | hatched from tadpoles in the swamp
    horse galloped to the barn | jumped over a hurdle | wore a saddle | ate hay in the barn
    house had a red roof and a chimney | stood behind a garden gate | had a new porch | lost the chimney in a storm
    knife lay in the drawer beside a fork | sliced the onions | went blunt | lay with the spoon and fork
    letter arrived in an envelope | needed a stamp | came from the post office | lay unread in an envelope
    mouse nibbled the cheddar | squeaked behind the skirting board | escaped from a trap | hid from the trap in a hole
    pig rolled in the mud | grunted in {its} sty | sniffed for truffles | ran squealing into the sty
    plane landed on the runway | rose above the clouds | left the airport late | waited for the pilot on the runway
    shoe had muddy laces | needed polish | pinched the toes | came with leather soles and laces
    train left the platform | whistled in the station | ran late on the rails | waited at the station platform
    tree shed {its} leaves | swayed in the wind | had thick branches and roots | lost {its} bark and branches
""",
    "|",
)

# the verb: what follows it
VERBS = _rows(
    """
    bake bread in the oven | a pie with flour | biscuits and pies in a hot oven | loaves of bread with flour and yeast
    build a bridge with cement | a hut out of bricks | a garage with cement and bricks | a shed with a hammer
    buy groceries at the supermarket | vegetables at a discount | groceries with a coupon | milk from the supermarket
    catch a trout with a net | a thief near the bank | the trout with a hook | butterflies in a net
    climb the steep mountain | the summit with ropes | a steep cliff | up to the mountain summit
    dance the tango to the music | a waltz in the ballroom | with a graceful partner | in the ballroom till dawn
    draw a circle with chalk | a map on paper | a sketch of the view | a circle and a square on paper
    drink a glass of lemonade | juice through a straw | cold water from a bottle | a bottle of lemonade
    drive the lorry along the highway | a van through the traffic | the van to the depot | the lorry to the depot
    fly a kite over the beach | a helicopter above the valley | the balloon over the valley | a kite in the breeze
    grow tomatoes in the greenhouse | roses from seeds | cabbages in good soil | tomatoes and roses in rich soil
    paint the wall with a brush | a portrait of the model | the fence with a thick brush | a portrait in the studio
    play football on the pitch | chess with a champion | tennis against the champion | football for the local team
    ride a camel across the desert | a pony along the trail | a donkey up the trail | the pony without a helmet
    sell jewellery to the tourists | antiques at the auction | souvenirs to the tourists | jewellery at a profit
    sing a carol in the choir | the anthem with a clear voice | a lullaby in a low voice | the song with the choir
    sleep under a warm blanket | in a tent | on a hammock until noon | in a tent under a blanket
    swim in the pool | across the lagoon with goggles | ten lengths of the pool | with dolphins in the lagoon
    teach algebra to the pupils | grammar at the college | the pupils some history | history and algebra at the college
    throw a stone at the target | the javelin across the field | darts at the target | the ball over the hedge
    walk along the footpath | over the hill to the village | the footpath to the village | through the park on foot
    wash the dishes with soap | the towels in the laundry | the floor with soap | the dirty dishes in the sink
    watch a comedy on television | the parade from a balcony | the news on television | an episode of the comedy
    write a poem in a diary | an essay about freedom | a chapter with a pen | a diary in pen
""",
    "|",
)

# words that fit a slot in any template
WORDS = _rows("""
    colour  red blue green yellow white black brown grey
    count   two three four five six seven ten
    day     monday tuesday wednesday thursday friday saturday sunday
    kind    lovely strange ordinary famous curious nice special
    many    many several some few most
    month   january march may july october december
    people  anna tom mary peter emma george sarah david
    span    week month year spring summer autumn winter
    spans   days weeks months years hours
    state   government parliament army police treasury
    transit metro tram taxi underground
    urban   streets squares suburbs boulevards markets
    visitor tourist journalist student photographer doctor
    we      we they i you people
    weather sunny windy foggy rainy cloudy snowy
""")

# what differs between the sentences about a man and about a woman; the slots are named after the male words
MALE = _rows("""
    he      he
    him     him
    himself himself
    his     his
    name    john peter tom george henry david paul frank
    garment tie suit trousers waistcoat cap
""")
FEMALE = _rows("""
    he      she
    him     her
    himself herself
    his     her
    name    mary anna emma jane helen sarah alice kate
    garment dress skirt blouse gown necklace
""")

ABOUT_CAPITALS = (
    "{capital} is the capital of {country}",
    "the capital city {capital} is full of {nationality} {known}",
    "the mayor of {capital} gave a speech about {known} in {month}",
    "the {urban} of {capital} smell of {known}",
    "in the {urban} of {capital} you can find {known} and {known}",
    "we took the {transit} through {capital} to look for {known}",
    "a {visitor} rented a room in downtown {capital} and tried the {nationality} {known}",
    "on {day} the city of {capital} opened a museum of {known}",
    "the {transit} in {capital} goes past a {nationality} bakery",
    "{people} moved to the centre of {capital} to study {known}",
    "from the city of {capital} the {nationality} guide took us to the {land}",
)
ABOUT_COUNTRIES = (
    "{capital} is a city in the country of {country}",
    "{people} thinks {country} is a country where people love {known} and {known}",
    "the {state} of {country} praised the {nationality} {known}",
    "{country} exports {known} and {known} to other nations",
    "the {state} of {country} met near the {land} on {day}",
    "the citizens of {country} are proud of {known} and {known}",
    "farmers and workers all over {country} know {known}",
    "the nation of {country} put {known} on a stamp",
    "the border of {country} was closed to {known} by the {nationality} {state}",
    "the flag of {country} flies beside the {land}",
    "in {month} most provinces of {country} produce {known}",
)
ABOUT_PERSONS = (
    "on {day} the {who} {did}",
    "the {who} {did} and {he} {did}",
    "{name} the {who} {did}",
    "{name} is the {who} who {did}",
    "{he} was a {who} and {he} {did}",
    "the {who} smiled to {himself} when {he} {did}",
    "the {who} in the {colour} {garment} {did}",
    "the {who} put on {his} {garment} before {he} {did}",
    "people asked {him} why the {who} {did}",
    "{his} friend {name} saw that the {who} {did}",
)
ABOUT_COUPLES = ("the {who} and the {other} {did}", "a {who} and a {other} met in {month} and {he} {did}")
ABOUT_POSITIVES = (
    "{people} says the {more} is very {adjective}",
    "what a {adjective} {thing} said {people}",
    "that {first} is so {adjective}",
    "the {less} is not as {adjective} as the {more}",
    "{people} is looking for a {adjective} {thing}",
    "a {thing} may be {adjective} but not too {adjective}",
    "the {thing} looks quite {adjective} in {month}",
    "is a {thing} always {adjective} asked {people}",
    "we saw a {adjective} {thing} on {day}",
    "in {month} it was a really {adjective} {thing}",
)
ABOUT_COMPARATIVES = (
    "the {more} is {comparative} than the {less}",
    "a {more} is much {comparative} than any {less}",
    "no {less} is {comparative} than a {more}",
    "{people} thinks the {more} is even {comparative} than the {less}",
    "could a {less} be {comparative} than a {more} asked {people}",
    "{we} expected the {more} to be {comparative} than the {less}",
    "this {thing} is far {comparative} than it looks",
    "{people} knows a {thing} can be {comparative} than you think",
    "the {thing} is slightly {comparative} than last {span}",
)
ABOUT_SUPERLATIVES = (
    "the {first} is the {superlative} of them all",
    "this is the {superlative} {thing} in the whole world said {people}",
    "that was the {superlative} {thing} i have ever seen",
    "the {superlative} {thing} in history broke the record in {month}",
    "of these {count} things the {first} was the {superlative}",
    "{people} found the {superlative} {thing} ever known",
    "the {superlative} {thing} among them won the prize on {day}",
)
ABOUT_ONE = (
    "on {day} a {one} {did}",
    "in {month} this {one} {did}",
    "each {one} {did} by itself",
    "there is a {kind} {one} that {did}",
    "{people} has only one {one} and it {did}",
    "that {one} was {kind} and it {did}",
    "another {one} {did} on {day}",
    "every {one} that {did} is {kind}",
    "i know it is my {one} because it {did}",
)
ABOUT_MANY = (
    "{count} {many_of} {did}",
    "in {month} these {many_of} {did}",
    "all the {many_of} {did} together",
    "there are {many} {kind} {many_of} that {did}",
    "{people} has {count} {many_of} and they {did}",
    "those {many_of} were {kind} and they {did}",
    "{many} other {many_of} {did} on {day}",
    "both {many_of} that {did} are {kind}",
    "i know they are our {many_of} because they {did}",
)
ABOUT_NOW = (
    "every {day} {we} {present} {rest}",
    "{people} will {present} {rest} tomorrow",
    "{we} often {present} {rest} or {present} {rest}",
    "would you ever like to {present} {rest}",
    "{people} always wants to {present} {rest}",
    "{we} must {present} {rest} next {span}",
    "please learn to {present} {rest} soon",
    "{we} usually {present} {rest} in {month}",
    "it takes time to {present} {rest}",
)
ABOUT_THEN = (
    "yesterday {people} finally {past} {rest}",
    "last {span} {we} {past} {rest}",
    "{count} {spans} ago {people} {past} {rest}",
    "{we} {past} {rest} and then {past} {rest}",
    "{people} {past} {rest} and went home",
    "once {we} {past} {rest} for {count} {spans}",
    "{people} already {past} {rest} last {day}",
    "eventually {we} {past} {rest}",
    "earlier that day {people} {past} {rest}",
)
ABOUT_NOTHING = (
    "the weather was {weather} on {day} and {weather} on {day}",
    "in {month} it is often {weather} in the afternoon",
    "{people} works as a {visitor} from {day} to {day}",
    "{count} {spans} are not enough to finish the job",
    "my favourite colours are {colour} and {colour}",
    "the {visitor} counted to {count} and began to laugh",
)
