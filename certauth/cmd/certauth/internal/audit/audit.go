package audit

import (
	"cmp"
	"errors"
	"slices"
	"time"
)

// Severities.
const (
	Error       = "error"
	Warning     = "warning"
	Information = "information"
)

// Front ends.
const (
	Platform           = "platform"
	ApplicationGateway = "application-gateway"
	FrontDoor          = "front-door"
)

// Options describe the purpose of the site.
type Options struct {
	// Mode is the intended clientCertMode: Required, Optional or OptionalInteractiveUser.
	Mode string
	// FrontEnd is the front end that terminates the client's TLS connection.
	FrontEnd string
	// Protected lists routes of the app that require a certificate, and Known other routes.
	Protected, Known []string
	// Exempt lists the paths that the app itself excludes.
	Exempt []string
	// HealthToken reports whether the app verifies the platform's health token.
	HealthToken bool
	// Justified maps the paths of platform exclusions to their reasons.
	Justified map[string]string
	// Outbound reports whether the app itself presents a client certificate.
	Outbound bool
	// Certificates that expire between Now and Now plus Within are reported.
	Now    time.Time
	Within time.Duration
}

// Finding is one result of a rule.
type Finding struct {
	Rule      int      `json:"rule"`
	ID        string   `json:"id"`
	Severity  string   `json:"severity"`
	Site      string   `json:"site"`
	Field     string   `json:"field"`
	Message   string   `json:"message"`
	Why       string   `json:"why"`
	Az        string   `json:"az,omitempty"`
	Terraform string   `json:"terraform,omitempty"`
	Others    []string `json:"others,omitempty"`
	File      string   `json:"file"`
	Line      int      `json:"line"`
}

// NotShown lists the questions that no JSON configuration answers.
var NotShown = []string{
	"whether the app parses and validates certificates at all: \"certauth check\", and the policy that the service logs at start",
	"whether the front end overwrites a certificate header that a client sends: the probes of package forwarded, from outside",
	"which routes the app serves, and that every route that needs a certificate asks for one",
	"who else reaches the app: private endpoints, peered networks, other apps of the plan",
	"the mode of a slot or an instance whose configuration was not given",
}

// Run applies all rules.
func Run(in *Inputs, o Options) ([]Finding, error) {
	if err := in.merge(); err != nil {
		return nil, err
	}
	if len(in.Sites) == 0 {
		return nil, errors.New("the input contains no site; add the output of: az webapp show")
	}
	if o.Mode == "" {
		o.Mode = "Required"
	}
	if o.FrontEnd == "" {
		o.FrontEnd = Platform
	}
	if o.Within == 0 {
		o.Within = 30 * 24 * time.Hour
	}
	var all []Finding
	for i, s := range in.Sites {
		c := &check{Inputs: in, Site: s, Options: o, first: i == 0}
		for _, r := range Rules {
			r.find(c, func(severity, field, message string) {
				at := c.at(field)
				if severity == "" {
					severity = r.Severity
				}
				f := Finding{
					Rule: r.Number, ID: r.ID(), Severity: severity, Site: s.Name, Field: field, Message: message, Why: r.Why,
					Az: r.Az, Terraform: r.Terraform, Others: r.Others, File: at.file, Line: max(at.line, 1),
				}
				all = append(all, f)
			})
		}
	}
	rank := map[string]int{Error: 0, Warning: 1, Information: 2}
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank[a.Severity], rank[b.Severity]), cmp.Compare(a.Site, b.Site), cmp.Compare(a.Rule, b.Rule))
	})
	return all, nil
}

// check is the evaluation of one site.
type check struct {
	*Inputs
	*Site
	Options

	first bool // findings about certificates are reported only once
}

var nothing = &value{missing: true}

func (c *check) field(name string) *value {
	if v, ok := c.fields[name]; ok {
		return v
	}
	return nothing
}

// at returns the value of a field, for its position, or the site if the field is absent.
func (c *check) at(field string) *value {
	if v, ok := c.fields[field]; ok {
		return v
	}
	if v, ok := c.settings[field]; ok {
		return v
	}
	for _, cert := range c.Certificates {
		if cert.Thumbprint == field {
			return &value{file: cert.file, line: cert.line}
		}
	}
	return &value{file: c.file, line: c.line}
}
