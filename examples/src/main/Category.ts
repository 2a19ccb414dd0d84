/**
 * The categories documents are sorted into, and a worked example of each.
 *
 * The examples go into the prompt. They help a language model to draw the lines where we draw them, and
 * they are all the offline model knows about categories.
 */
import * as Example from "@effect-dspy/core/Example"
import * as Schema from "effect/Schema"

export const Category = Schema.Literals([
  "technology",
  "business",
  "science",
  "health",
  "travel",
  "sport",
  "law",
  "food",
  "opinion",
  "other"
])

const texts: { readonly [K in typeof Category.Type]: string } = {
  technology:
    "The new version of the software fixes errors in the server, the database and the client. Install the package, run the tests and deploy the service; the API, its files and its memory use are described in the documentation for developers.",
  business:
    "Revenue and profit of the company grew in the last quarter, while costs and prices rose. Management informed investors and customers about sales, the budget, the market and a contract; marketing reports to the board at the next meeting.",
  science:
    "Scientists measured how gravity, water and light act on the earth and the moon. The research explains the motion by physics, with observations over many years. Die Forschung zeigt in einer Untersuchung, wie das Wasser wirkt.",
  health:
    "Patients with symptoms such as pain, fever or an allergy should see a doctor. The treatment, a medicine taken as tablets in small doses, lowers the risk of disease and calms the body.",
  travel:
    "The journey by train leads over the mountains to a lake. Book tickets and a hotel early in summer, take the path from the station to the summit, and see the village, the river and the glacier.",
  sport:
    "The team won the match with a late goal. The coach praised the players, the goalkeeper and the striker; the league goes on with the second half of the season, and the crowd sang after the final score.",
  law:
    "The parties to this contract agree that the landlord shall give notice in writing. The tenant is entitled to terminate under the applicable law; claims are decided by the court, and any invalid clause or provision stays without effect.",
  food:
    "Mix flour, water, salt and yeast to a dough, let it rest, and bake the bread in the oven. Serve with butter, cheese and soup. The recipe lists the ingredients in grams and teaspoons.",
  opinion:
    "I believe that people are wrong about this, and in my view the argument is about trust. We ought to be honest. Nobody should mistake the question; I do not know one person who would rather have a policy than a reason.",
  other:
    "Please send the parcel to the right address. A note about small things at home this morning: the neighbour, the rain, a bicycle with its wheel, tube and tyre in the street, and kind regards."
}

export const categoryDemos = Category.literals.map((category) =>
  Example.make({ content: texts[category] }, { category })
)
