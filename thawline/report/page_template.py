"""Template of the page.

A module rather than a file beside it, so that DVC knows it as code.
"""

from thawline.evaluation import gate_line

STYLE = """
:root { color-scheme: light; --ink: #22272e; --soft: #56606b; --line: #dfe4e9; --blue: #2a6fb0; }
* { box-sizing: border-box; }
body { margin: 0; background: #f5f7f9; color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 64rem; margin: 0 auto; padding: 1.5rem 1.25rem 3rem; background: #fff; }
h1 { font-size: 1.1rem; color: var(--soft); font-weight: 600; margin: 0 0 .5rem; }
h2 { font-size: 1.35rem; margin: 2.6rem 0 .7rem; padding-top: .9rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.02rem; margin: 1.6rem 0 .4rem; }
p { margin: .5rem 0; } .soft { color: var(--soft); font-size: .9rem; }
.verdict { font-size: 1.3rem; line-height: 1.4; font-weight: 600; margin: 0 0 1rem; }
.budget { display: inline-block; padding: .35rem .8rem; border-radius: .4rem; margin: 0 0 1rem;
  background: #e6f3ea; color: #1d5c36; font-weight: 600; }
.budget.over { background: #fdeadf; color: #93400f; }
.budget.none { background: #eef1f4; color: var(--soft); font-weight: 400; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .7rem; }
.tile { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; }
.tile b { display: block; font-size: 1.45rem; line-height: 1.3; }
.tile span { color: var(--soft); font-size: .85rem; display: block; }
.scroll { overflow-x: auto; margin: .6rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .32rem .75rem .32rem 0; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
table.words th, table.words td { text-align: left; white-space: normal;
  overflow-wrap: anywhere; vertical-align: top; }
tr.final td { font-weight: 600; background: #f0f6fc; }
tr.worse td { color: #93400f; font-weight: 600; }
figure { margin: 1rem 0; }
figure img { display: block; max-width: 100%; height: auto; border: 1px solid var(--line);
  border-radius: .4rem; padding: .4rem; background: #fff; }
figcaption { color: var(--soft); font-size: .88rem; margin-top: .3rem; }
ul { padding-left: 1.2rem; } li { margin: .25rem 0; }
nav { font-size: .92rem; margin-top: 1rem; } nav a { color: var(--blue); margin-right: 1rem; }
@media (max-width: 640px) { main { padding: 1rem .85rem 2rem; } .verdict { font-size: 1.12rem; }
  .tiles { grid-template-columns: 1fr 1fr; } .tile b { font-size: 1.2rem; }
  th:first-child, td:first-child { white-space: normal; min-width: 7rem; }
  figure { overflow-x: auto; } figure img { max-width: none; width: 38rem; } }
@page { margin: 15mm; }
@media print { :root { --ink: #000; --soft: #333; --line: #999; }
  body { background: #fff; font-size: 10.5pt; } main { max-width: none; padding: 0; }
  nav { display: none; } .scroll { overflow: visible; break-inside: avoid; }
  table { font-size: 8pt; } th, td { white-space: normal; padding-right: .4rem; }
  .budget, .budget.over, tr.worse td { background: none; color: #000; }
  .budget { border: 1px solid var(--line); } tr.final td { background: none; }
  figure, tr, li, .tile { break-inside: avoid; } thead { display: table-header-group; }
  h2, h3 { break-after: avoid; } h2 { border: 0; margin-top: 1.2rem; }
  h2 ~ h2 { break-before: page; margin-top: 0; } figure { margin: .5rem 0; overflow: visible; }
  figure img { width: auto; max-width: 100%; max-height: 11.5cm; border: 0; } }
"""

TEMPLATE = (
    """\
{% macro table(columns, rows, words=False) %}
<div class="scroll"><table{% if words %} class="words"{% endif %}>
<thead><tr>{% for name in columns %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in rows %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% endmacro %}
{% macro show(section) %}
{% for picture in pictures[section] %}
<figure><img src="{{ picture.source }}" alt="{{ picture.title }}" loading="lazy">
{% if picture.caption %}<figcaption>{{ picture.caption }}</figcaption>{% endif %}</figure>
{% endfor %}
{% endmacro %}
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Thawline: evaluation</title>
<style>"""
    + STYLE
    + """</style>
</head>
<body><main>
<h1>Thawline: evaluation</h1>
<p class="verdict">{{ verdict }}</p>
{% if budget %}
<p class="budget{% if over %} over{% endif %}">{{ budget }}</p>
{% else %}
<p class="budget none">No budget is set in params.yaml.</p>
{% endif %}
"""
    + gate_line.HTML
    + """
<div class="tiles">
{% for name, value, note in tiles %}
<div class="tile"><span>{{ name }}</span><b>{{ value }}</b><span>{{ note }}</span></div>
{% endfor %}
</div>
<nav><a href="#data">Data</a><a href="#training">Training</a><a href="#scores">Scores</a>
<a href="#errors">Errors</a><a href="#certainty">Certainty</a><a href="#cost">Cost</a>
<a href="#next">Next</a><a href="#method">Method</a></nav>

<h2 id="data">Data</h2>
{{ table(("", ""), data, words=True) }}
{{ show("data") }}

<h2 id="training">Training and its decisions</h2>
<p>{{ card.family }} {{ card.name }} at {{ card.image_size_px }} px.</p>
<ul>
{% for stage, reason in decisions.items() %}
<li><b>{{ stage }}</b>: {{ reason }}.</li>
{% endfor %}
</ul>
{{ show("training") }}

<h2 id="scores">Scores on the test images</h2>
<h3>All checkpoints</h3>
<div class="scroll"><table>
<thead><tr><th scope="col">checkpoint</th><th scope="col">accuracy</th>
<th scope="col">95 % interval</th><th scope="col">macro-F1</th><th scope="col">rare recall</th>
<th scope="col">NLL</th><th scope="col">ECE</th></tr></thead>
<tbody>
{% for row in checkpoints %}
<tr{% if row[0] == final %} class="final"{% endif %}>
{% for cell in row[:7] %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
<h3>{{ final }}</h3>
{{ table(("score", "value", "95 % interval"), headline) }}
<h3>Per class, the worst first</h3>
{{ table(("class", "precision", "recall", "F1", "images"), classes) }}
{% if num_classes > classes|length %}
<p class="soft">{{ num_classes - classes|length }} classes with a higher F1 are left out.</p>
{% endif %}

<h2 id="errors">Errors</h2>
{{ show("errors") }}
<h3>Where the surest mistakes came from</h3>
{% if mistakes %}
{{ table(("image", "is", "was taken for", "confidence"), mistakes, words=True) }}
{% else %}<p>None: every test image is right.</p>{% endif %}
<h3>Kinds of images</h3>
{% if slices %}
<div class="scroll"><table>
<thead><tr><th scope="col">part of the test images</th><th scope="col">images</th>
<th scope="col">accuracy</th><th scope="col">95 % interval</th></tr></thead>
<tbody>
{% for part in slices %}
<tr{% if part.worse %} class="worse"{% endif %}><td>{{ part.name }}</td><td>{{ part.images }}</td>
<td>{{ part.accuracy }}</td><td>{{ part.interval }}{% if part.worse %}, worse{% endif %}</td></tr>
{% endfor %}
</tbody></table></div>
<p class="soft">"Worse" than the rest by Fisher's exact test at 5 %, with Holm's correction over
all parts{% if not slices|selectattr("worse")|list %}; none is{% endif %}.</p>
{% else %}<p>The images do not differ in anything but their class.</p>{% endif %}
{% if robustness %}
<h3>Under corruption</h3>
{{ table(("corruption", "severity", "accuracy"), robustness) }}
{% endif %}
<h3>Labels that may be wrong</h3>
{% if issues %}
<p>{{ num_issues }} validation and test images are labelled in a way that the network contradicts
credibly. Look at each; those you agree with can be copied from label_issues.csv to
data/label_fixes.csv.</p>
{{ table(("image", "is labelled", "may be", "confidence"), issues, words=True) }}
{% else %}<p>None was found.</p>{% endif %}

<h2 id="certainty">How far its certainty can be trusted</h2>
{{ show("certainty") }}

<h2 id="cost">Cost</h2>
<div class="scroll"><table>
<thead><tr><th scope="col">checkpoint</th><th scope="col">runs in</th>
<th scope="col">latency</th><th scope="col">p95</th><th scope="col">p99</th>
<th scope="col">throughput</th><th scope="col">parameters</th><th scope="col">MACs</th>
<th scope="col">size</th><th scope="col">memory</th></tr></thead>
<tbody>
{% for row in checkpoints %}
<tr{% if row[0] == final %} class="final"{% endif %}><td>{{ row[0] }}</td>
{% for cell in row[7:] %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% if batches %}
<h3>Images a second by batch size</h3>
{{ table(batches[0], batches[1:]) }}
{% endif %}
{% if device %}
<p class="soft">Speed and memory on {{ device.name }} ({{ device.instructions }}),
{{ device.threads }} threads, PyTorch {{ device.torch }}, ONNX Runtime {{ device.onnxruntime }};
device {{ device.fingerprint }}. Times compare only where that is equal.</p>
{% endif %}

<h2 id="next">What the guide would try next</h2>
{% if advice %}
<ul>
{% for key, now, value, reason in advice %}
<li><b>{{ key }}: {{ value }}</b> (now {{ now }}). {{ reason }}.</li>
{% endfor %}
</ul>
<p class="soft">From what this run left behind, and from training and validation images alone.
<code>thawline advise</code> measures more, and <code>--write</code> puts it into params.yaml.</p>
{% else %}<p>Nothing: params.yaml agrees with the figures. <code>thawline advise</code> measures
more.</p>{% endif %}

<h2 id="method">How it was measured</h2>
<ul>
{% for line in method %}
<li>{{ line }}</li>
{% endfor %}
</ul>
</main></body>
</html>
"""
)
