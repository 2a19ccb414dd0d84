/**
 * Function words of English, German, Spanish and French: what carries grammar rather than content.
 *
 * The offline model leaves them out of keywords and similarities. Written from the closed word classes
 * (articles, pronouns, prepositions, conjunctions, auxiliaries, common adverbs) of the four languages.
 */
const english = `a about above after again against all almost along already also although always am among an and
another any anybody anyone anything are around as at away back be became because become been before behind being
below between both but by came can cannot could did do does doing done down during each either else enough even
ever every everyone everything few first for from further get gets getting give given go goes going got had has have
having he her here hers herself him himself his how however i if in instead into is it its itself just keep kept last
least less let like made make makes many may maybe me might mine more most much must my myself near need neither never
new next no nobody none nor not nothing now of off often on once one only onto or other others our ours out over own
per perhaps put quite rather really same say see seem seemed seems several shall she should since so some somebody
someone something sometimes still such take taken than that the their theirs them themselves then there therefore
these they thing things this those though three through thus to today together too took toward two under until up upon
us use used using very via want was way we well went were what whatever when where whether which while who whole whom
whose why will with within without would yes yet you your yours yourself`

const german = `aber alle allem allen aller alles als also am an andere anderen auch auf aus bei beim bin bis bist da
damit dann das dass dein deine dem den denn der des dessen die dies diese diesem diesen dieser dieses doch dort du durch
ein eine einem einen einer eines er es etwas euch euer für gegen gibt habe haben hat hatte hatten hier hin hinter ich
ihm ihn ihnen ihr ihre ihrem ihren ihrer im in indem ins ist ja jede jedem jeden jeder jedes jetzt kann kein keine
keinen können man mehr mein meine mich mir mit muss müssen nach nicht nichts noch nun nur ob oder ohne schon sehr sein
seine seinem seinen seiner seit sich sie sind so solche sondern sonst soll sollte über um und uns unser unter viel vom
von vor wann war waren warum was weil weiter welche wenn wer werden wie wieder will wir wird wo wurde wurden zu zum zur
zwar zwischen`

const spanish = `al algo algunos ante antes aquí así aunque bajo bien cada casi como con contra cual cuando de del desde
después donde dos durante el ella ellas ellos en entre era eran es esa ese eso esta estaba están estas este esto estos
fue fueron ha había han hasta hay la las le les lo los luego más me mi mientras mis mucho muy nada ni no nos nosotros
nuestra nuestro o os otra otro para pero poco por porque pues que qué quien se sea ser si sí sin sobre son su sus también
tan tanto te tiene todo todos tu tus un una uno unos usted y ya yo`

const french =
  `à afin ai ainsi alors au aucun aussi autre aux avait avant avec avoir car ce ceci cela celle celui ces cet
cette chaque chez comme comment dans de depuis des deux dit donc dont du elle elles en encore entre est et étaient était
être eu fait faut il ils je jusque la le les leur leurs lui ma mais me même mes moi moins mon ne ni nos notre nous on ont
ou où par parce pas pendant peu plus pour pourquoi près qu quand que quel quelle qui sa sans se sera ses si son sont
sous sur ta tandis te tes toi ton tous tout toute très tu un une vers vos votre vous`

/**
 * All of them, in lower case.
 *
 * @category models
 */
export const stopWords: ReadonlySet<string> = new Set([english, german, spanish, french].join(" ").split(/\s+/))
