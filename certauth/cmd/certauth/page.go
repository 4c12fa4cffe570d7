package main

import (
	"bytes"
	"html/template"
	"os"
	"time"
)

// page is a single file without scripts or external resources, readable at any width.
var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"class": func(v *verdict) string {
		return map[string]string{verdictAccepts: "yes", verdictRefuses: "no", verdictUnknown: "open"}[v.Verdict]
	},
	"took": func(d time.Duration) string { return d.Round(time.Microsecond).String() },
}).Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{.Decision}}{{with .Reason}}: {{.}}{{end}}</title>
<style>
:root { color-scheme: light dark; --yes: #1a7f37; --no: #c4232b; --open: #6a737d; --line: #8885; }
@media (prefers-color-scheme: dark) { :root { --yes: #4ac26b; --no: #ff7b72; --open: #9aa4af; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0 0 1rem; }
h1.refused { color: var(--no); } h1.accepted { color: var(--yes); }
dl { display: grid; grid-template-columns: minmax(4rem, max-content) minmax(0, 1fr); gap: .25rem 1rem; margin: 0 0 1.5rem; }
dt { color: var(--open); } dd { margin: 0; }
ul { list-style: none; margin: 0; padding: 0 0 0 .9rem; border-left: 1px solid var(--line); }
.tree > ul { border: 0; padding: 0; }
li { margin: .4rem 0; }
.rule { display: flex; flex-wrap: wrap; gap: .2rem .6rem; align-items: baseline; }
.rule > * { min-width: 0; }
.sign { font-weight: 600; } .yes > .rule > .sign { color: var(--yes); } .no > .rule > .sign { color: var(--no); } .open > .rule > .sign { color: var(--open); }
.decides { outline: 2px solid var(--no); outline-offset: .3rem; border-radius: .2rem; }
code { font: .9rem ui-monospace, monospace; }
small { color: var(--open); }
.why { margin: .1rem 0 0; color: var(--open); font-size: .95rem; }
</style>
</head>
<body>
<h1 class="{{.Decision}}">{{.Decision}}{{with .Reason}}: {{.}}{{end}}</h1>
<dl>
{{with .Rule}}<dt>rule</dt><dd><code>{{.}}</code></dd>{{end}}
{{with .Where}}<dt>where</dt><dd>{{.}}</dd>{{end}}
{{with .Detail}}<dt>found</dt><dd>{{.}}</dd>{{end}}
{{with .Next}}<dt>next step</dt><dd>{{.}}</dd>{{end}}
{{range .Roles}}<dt>role</dt><dd>{{.}}</dd>{{end}}
{{with .Subject}}<dt>subject</dt><dd>{{.}}</dd>{{end}}
{{with .NotAfter}}<dt>ends</dt><dd>{{.}}</dd>{{end}}
<dt>at</dt><dd>{{.At}}</dd>
{{range .Notes}}<dt>note</dt><dd>{{.}}</dd>{{end}}
</dl>
{{with .Tree}}<div class="tree"><ul>{{template "rule" .}}</ul></div>{{end}}
</body>
</html>
{{define "rule"}}<li class="{{class .}}"><div class="rule{{if .Decides}} decides{{end}}"><span class="sign">{{.Verdict}}</span> <code>{{.Text}}</code>{{if .Line}} <small>line {{.Line}}</small>{{end}}{{if .Took}} <small>{{took .Took}}</small>{{end}}{{if .Decides}} <strong>decides</strong>{{end}}</div>
{{if or .Reason .Detail}}<p class="why">{{with .Reason}}{{.}}: {{end}}{{.Detail}}</p>{{end}}
{{if .Children}}<ul>{{range .Children}}{{template "rule" .}}{{end}}</ul>{{end}}</li>{{end}}
`))

func writePage(name string, a *explanation) error {
	var b bytes.Buffer
	if err := page.Execute(&b, a); err != nil {
		return err
	}
	return os.WriteFile(name, b.Bytes(), 0o600)
}
