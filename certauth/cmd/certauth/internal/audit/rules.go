package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rule is one rule of the audit.
type Rule struct {
	Number    int
	Severity  string // default
	Title     string
	Why       string
	Az        string   // command that repairs it
	Terraform string   // the same in azurerm
	Others    []string // rules of other tools with the same requirement, or marked as requiring the opposite
	find      func(c *check, report func(severity, field, message string))
}

// NotJudged is the number of the rule about properties that the input does not show.
const NotJudged = 33

// ID returns the rule's name in reports, such as CERTAUTH07.
func (r Rule) ID() string { return fmt.Sprintf("CERTAUTH%02d", r.Number) }

var clientCertRules = []string{
	"Checkov CKV_AZURE_17", "Trivy AZU-0001", "KICS a81573f9-3691-4d83-88a0-7d4af63e17a3",
	"Azure Policy 19dd1db6-f442-49cf-a838-b0786b4401ef (apps with HTTP 1.1)", "Azure Policy 5bb220d9-2698-4ee4-8404-b9c30c9df609", "CIS Azure 9.4",
}

const (
	azMode      = "az webapp update -g GROUP -n SITE --set clientCertEnabled=true clientCertMode=Required"
	tfMode      = "client_certificate_enabled = true\nclient_certificate_mode = \"Required\""
	azNoExclude = "az webapp update -g GROUP -n SITE --set clientCertExclusionPaths=''"
	tfNoExclude = "# remove client_certificate_exclusion_paths"
)

// Rules holds all rules, sorted by number.
var Rules = []Rule{
	{
		1, Error, "HTTP is not refused", "requests over HTTP carry no certificate, so the header contract does not hold",
		"az webapp update -g GROUP -n SITE --set httpsOnly=true", "https_only = true",
		[]string{"Checkov CKV_AZURE_14", "Trivy AZU-0004", "Trivy AZU-0072", "PSRule Azure.AppService.UseHTTPS"},
		func(c *check, report func(string, string, string)) {
			if yes, known := c.field("httpsOnly").truth(); known && !yes {
				report("", "httpsOnly", "httpsOnly is false")
			}
		},
	},
	{
		2, Error, "client certificates are off", "the front end never asks for a certificate; this is how sites are made", azMode, tfMode, clientCertRules,
		func(c *check, report func(string, string, string)) {
			if yes, known := c.enabled(); known && !yes && c.FrontEnd == Platform {
				report("", "clientCertEnabled", "clientCertEnabled is false")
			}
		},
	},
	{
		3, Error, "reads Required and is off", "clientCertMode means nothing while clientCertEnabled is false; new sites read Required", azMode, tfMode, append([]string{"CIS Azure 9.4 (ambiguous: portal and CLI differ)"}, clientCertRules...),
		func(c *check, report func(string, string, string)) {
			if yes, known := c.enabled(); known && !yes && c.FrontEnd == Platform && c.is("clientCertMode", "Required") {
				report("", "clientCertMode", "clientCertMode reads Required, but clientCertEnabled is false")
			}
		},
	},
	{
		4, Information, "client certificates not set in the template", "the default is off; whoever reads the template cannot tell what was meant", azMode, tfMode, clientCertRules,
		func(c *check, report func(string, string, string)) {
			if !c.field("clientCertEnabled").known() && (c.Site.template || c.Site.Terraform) {
				report("", "clientCertEnabled", "clientCertEnabled is not set here")
			}
		},
	},
	{
		5, Error, "unknown mode", "what the platform does with it is not documented", azMode, tfMode, nil,
		func(c *check, report func(string, string, string)) {
			mode := c.field("clientCertMode")
			if mode.known() && !slices.ContainsFunc(modes, func(m string) bool { return strings.EqualFold(m, mode.text()) }) {
				report("", "clientCertMode", fmt.Sprintf("clientCertMode is %.40q, want one of: %s", mode.text(), strings.Join(modes, ", ")))
			}
		},
	},
	{
		6, Error, "requests without a certificate reach the app", "only Required makes the front end refuse them", azMode, tfMode,
		[]string{"Prowler app_client_certificates_on", "CIS Azure 9.4"},
		func(c *check, report func(string, string, string)) {
			if c.on() && c.Mode == "Required" && (c.is("clientCertMode", "Optional") || c.is("clientCertMode", "OptionalInteractiveUser")) {
				report("", "clientCertMode", "clientCertMode is "+portalName(c.field("clientCertMode").text()))
			}
		},
	},
	{
		7, Warning, "nothing says that the app asks for a certificate", "in an optional mode the app has to refuse requests without one, route by route", "", "", nil,
		func(c *check, report func(string, string, string)) {
			if c.on() && c.Mode != "Required" && len(c.Protected) == 0 && strings.HasPrefix(strings.ToLower(c.field("clientCertMode").text()), "optional") {
				report("", "clientCertMode", "clientCertMode is "+portalName(c.field("clientCertMode").text())+", and no protected routes were given (-protected)")
			}
		},
	},
	{
		8, Warning, "certificates by renegotiation", "no TLS 1.3, no HTTP/2, bodies above 100 KB fail with 403, and Go clients refuse to renegotiate", azMode, tfMode, nil,
		func(c *check, report func(string, string, string)) {
			if c.on() && c.is("clientCertMode", "OptionalInteractiveUser") {
				report("", "clientCertMode", "clientCertMode is "+portalName("OptionalInteractiveUser"))
			}
		},
	},
	{
		9, Warning, "exclusions make the front end renegotiate", "no TLS 1.3, no HTTP/2, and bodies above 100 KB fail with 403, on every path", azNoExclude, tfNoExclude, nil,
		func(c *check, report func(string, string, string)) {
			if len(c.exclusions()) == 0 {
				return
			}
			severity := ""
			if yes, known := c.enabled(); known && !yes {
				severity = Information // the exclusions have no effect
			}
			report(severity, "clientCertExclusionPaths", fmt.Sprintf("clientCertExclusionPaths excludes %d paths", len(c.exclusions())))
		},
	},
	{
		10, Error, "the exclusion switches mutual TLS off", "every path begins with it", azNoExclude, tfNoExclude, nil,
		func(c *check, report func(string, string, string)) {
			entries := c.exclusions()
			for _, entry := range entries {
				switch trimmed := strings.TrimSpace(entry); {
				case trimmed == "/" || trimmed == "" && c.field("clientCertExclusionPaths").text() != "":
					report("", "clientCertExclusionPaths", fmt.Sprintf("%.80q excludes every path", entry))
				case len(c.Protected) > 0 && trimmed != "" && !slices.ContainsFunc(c.Protected, func(route string) bool { return !covers(trimmed, route) }):
					report("", "clientCertExclusionPaths", fmt.Sprintf("%.80q excludes every protected route", entry))
				}
			}
		},
	},
	{
		11, Error, "a protected route is excluded", "an exclusion matches by prefix and without regard to case; on such a path nobody is asked for a certificate", azNoExclude, tfNoExclude, nil,
		func(c *check, report func(string, string, string)) {
			for _, entry := range c.exclusions() {
				for _, route := range c.Protected {
					if trimmed := strings.TrimSpace(entry); trimmed != "" && trimmed != "/" && covers(trimmed, route) {
						report("", "clientCertExclusionPaths", fmt.Sprintf("%.80q excludes the protected route %.80q", entry, route))
					}
				}
			}
		},
	},
	{
		12, Warning, "an exclusion matches more than its segment", "it is a plain prefix: /health also excludes /healthz and /health-admin", azNoExclude, tfNoExclude, nil,
		func(c *check, report func(string, string, string)) {
			for _, entry := range c.exclusions() {
				entry = strings.TrimSpace(entry)
				for _, route := range slices.Concat(c.Known, c.Protected, c.Exempt) {
					rest, ok := strings.CutPrefix(strings.ToLower(route), strings.ToLower(entry))
					if ok && len(entry) > 1 && rest != "" && rest[0] != '/' && !strings.HasSuffix(entry, "/") {
						report("", "clientCertExclusionPaths", fmt.Sprintf("%.80q also excludes %.80q", entry, route))
					}
				}
			}
		},
	},
	{
		13, Warning, "an exclusion in a form that is not documented", "what the front end does with it is not known", azNoExclude, tfNoExclude, nil,
		func(c *check, report func(string, string, string)) {
			entries, seen := c.exclusions(), map[string]bool{}
			for _, entry := range entries {
				lower := strings.ToLower(strings.TrimSpace(entry))
				if why := odd(entry); why != "" {
					report("", "clientCertExclusionPaths", fmt.Sprintf("%.80q %s", entry, why))
				} else if seen[lower] {
					report("", "clientCertExclusionPaths", fmt.Sprintf("%.80q stands there twice", entry))
				}
				seen[lower] = true
			}
			if text := c.field("clientCertExclusionPaths").text(); strings.Contains(text, ",") && strings.Contains(text, ";") {
				report("", "clientCertExclusionPaths", "both separators, \",\" and \";\", are in use")
			}
		},
	},
	{
		14, Warning, "an exclusion without a reason", "nobody can tell whether it is still needed, or what keeps the open path safe", azNoExclude, tfNoExclude, nil,
		func(c *check, report func(string, string, string)) {
			for _, entry := range c.exclusions() {
				entry = strings.TrimSpace(entry)
				if entry != "" && strings.TrimSpace(c.Justified[entry]) == "" {
					report("", "clientCertExclusionPaths", fmt.Sprintf("no reason is recorded for %.80q (-justified)", entry))
				}
			}
		},
	},
	{
		15, Error, "renegotiation with TLS 1.3", "TLS 1.3 has no renegotiation: such a site cannot ask for a certificate", azMode, tfMode, nil,
		func(c *check, report func(string, string, string)) {
			if c.renegotiates() && c.is("minTlsVersion", "1.3") {
				report("", "minTlsVersion", "minTlsVersion is 1.3, and certificates are asked for by renegotiation")
			}
		},
	},
	{
		16, Warning, "renegotiation with HTTP/2", "HTTP/2 forbids renegotiation: clients that speak it fail", "az webapp config set -g GROUP -n SITE --http20-enabled false", "http2_enabled = false",
		[]string{"Trivy AZU-0005 (asks for the opposite)", "KICS: exempts apps with HTTP/2 from the client certificate rule"},
		func(c *check, report func(string, string, string)) {
			if yes, known := c.field("http20Enabled").truth(); known && yes && c.renegotiates() {
				report("", "http20Enabled", "http20Enabled is true, and certificates are asked for by renegotiation")
			}
		},
	},
	{
		17, Error, "old TLS", "TLS before 1.2 is broken", "az webapp config set -g GROUP -n SITE --min-tls-version 1.2", "minimum_tls_version = \"1.2\"",
		[]string{"Trivy AZU-0006", "PSRule Azure.AppService.MinTLS", "Checkov CKV_AZURE_15"},
		func(c *check, report func(string, string, string)) {
			if c.is("minTlsVersion", "1.0") || c.is("minTlsVersion", "1.1") {
				report("", "minTlsVersion", "minTlsVersion is "+c.field("minTlsVersion").text())
			}
		},
	},
	{
		18, Warning, "old TLS for deployments", "TLS before 1.2 is broken, and deployments carry secrets",
		"az resource update -g GROUP --namespace Microsoft.Web --parent sites/SITE --resource-type config -n web --set properties.scmMinTlsVersion=1.2", "scm_minimum_tls_version = \"1.2\"", nil,
		func(c *check, report func(string, string, string)) {
			if c.is("scmMinTlsVersion", "1.0") || c.is("scmMinTlsVersion", "1.1") {
				report("", "scmMinTlsVersion", "scmMinTlsVersion is "+c.field("scmMinTlsVersion").text())
			}
		},
	},
	{
		19, Warning, "an exempt path of the app is not reachable", "with Required the front end answers 403 before the app sees the request", "", "", nil,
		func(c *check, report func(string, string, string)) {
			if c.FrontEnd != Platform || !c.on() || !c.is("clientCertMode", "Required") {
				return
			}
			for _, exempt := range c.Exempt {
				if !c.asksItself(exempt) && !slices.ContainsFunc(c.exclusions(), func(entry string) bool { return covers(strings.TrimSpace(entry), exempt) }) {
					report("", "clientCertExclusionPaths", fmt.Sprintf("the app exempts %.80q, but callers without a certificate get 403 from the front end", exempt))
				}
			}
		},
	},
	{
		20, Information, "an exclusion that the app does not share", "the app answers 401 there, so it fails closed; then the exclusion only costs", azNoExclude, tfNoExclude, nil,
		func(c *check, report func(string, string, string)) {
			for _, entry := range c.exclusions() {
				entry = strings.TrimSpace(entry)
				if entry != "" && !slices.ContainsFunc(c.Exempt, func(exempt string) bool { return covers(entry, exempt) }) {
					report("", "clientCertExclusionPaths", fmt.Sprintf("no exemption of the app is below %.80q", entry))
				}
			}
		},
	},
	{
		21, Warning, "the health check gets 401", "an instance leaves rotation after ten misses and is replaced after an hour", "", "", nil,
		func(c *check, report func(string, string, string)) {
			health := c.field("healthCheckPath")
			if health.known() && health.text() != "" && !c.HealthToken && !slices.Contains(c.Exempt, pathOf(health.text())) {
				report("", "healthCheckPath", fmt.Sprintf("the app does not exempt healthCheckPath %.80q", health.text()))
			}
		},
	},
	{
		22, Error, "the app does not start", "with WEBSITE_WARMUP_STATUSES only these statuses count as started, and the warm-up request gets 401", "", "", nil,
		func(c *check, report func(string, string, string)) {
			wanted, ok := c.setting("WEBSITE_WARMUP_STATUSES")
			if !ok || wanted == "" {
				return
			}
			warmUp := c.warmUpPath()
			statuses := strings.FieldsFunc(wanted, func(r rune) bool { return r == ',' || r == ';' || r == ' ' })
			if !slices.Contains(statuses, "401") && !slices.Contains(c.Exempt, warmUp) {
				report("", "WEBSITE_WARMUP_STATUSES", fmt.Sprintf("WEBSITE_WARMUP_STATUSES is %.40q without 401, and %.80q is not exempt", wanted, warmUp))
			}
		},
	},
	{
		23, Information, "Always On asks without a certificate", "GET / comes every few minutes and gets 401: count it, do not alarm", "", "", nil,
		func(c *check, report func(string, string, string)) {
			if yes, known := c.field("alwaysOn").truth(); known && yes {
				report("", "alwaysOn", "alwaysOn is true")
			}
		},
	},
	{
		24, Error, "the app is reachable around the gateway", "whoever reaches it directly can write the certificate header",
		"az webapp config access-restriction set -g GROUP -n SITE --default-action Deny", "public_network_access_enabled = false\n# or ip_restriction_default_action = \"Deny\" with the gateway's subnet allowed", nil,
		func(c *check, report func(string, string, string)) {
			if c.FrontEnd != ApplicationGateway || c.private() {
				return
			}
			rules := c.field("ipSecurityRestrictions")
			switch open := c.openRule(); {
			case !rules.known() && !c.field("ipSecurityRestrictionsDefaultAction").known() && !c.field("publicNetworkAccess").known():
				// Unknown: rule 33 reports it.
			case open != "":
				report("", "ipSecurityRestrictions", "access restrictions let "+open+" through")
			case c.is("ipSecurityRestrictionsDefaultAction", "Allow"):
				report("", "ipSecurityRestrictionsDefaultAction", "the default action of the access restrictions is Allow")
			case len(rules.items) == 0 && !c.is("ipSecurityRestrictionsDefaultAction", "Deny"):
				report("", "ipSecurityRestrictions", "there are no access restrictions")
			}
		},
	},
	{
		25, Error, "other Front Door profiles reach the app", "the service tag is that of all tenants; only the profile's id tells them apart",
		"az webapp config access-restriction add -g GROUP -n SITE --priority 100 --service-tag AzureFrontDoor.Backend --http-header x-azure-fdid=ID",
		"ip_restriction_default_action = \"Deny\"\nip_restriction {\n  service_tag = \"AzureFrontDoor.Backend\"\n  headers { x_azure_fdid = [\"ID\"] }\n}", nil,
		func(c *check, report func(string, string, string)) {
			if c.FrontEnd != FrontDoor || c.private() {
				return
			}
			if c.is("ipSecurityRestrictionsDefaultAction", "Allow") {
				report("", "ipSecurityRestrictionsDefaultAction", "the default action of the access restrictions is Allow")
			}
			rules := c.field("ipSecurityRestrictions")
			if !rules.known() {
				return // rule 33 reports it
			}
			locked := false
			for _, rule := range rules.items {
				if !allows(rule) {
					continue
				}
				if !isFrontDoor(rule) {
					report("", "ipSecurityRestrictions", fmt.Sprintf("a rule lets others than Front Door through: %.80q", ruleName(rule)))
				} else if !hasProfile(rule) {
					report("", "ipSecurityRestrictions", fmt.Sprintf("a rule lets Front Door through without x-azure-fdid: %.80q", ruleName(rule)))
				} else {
					locked = true
				}
			}
			if !locked {
				report("", "ipSecurityRestrictions", "no rule has the service tag AzureFrontDoor.Backend and the header x-azure-fdid")
			}
		},
	},
	{
		26, Warning, "client certificates behind a gateway", "the gateway presents none: Required answers 403, and X-ARR-ClientCert is never the end client's",
		"az webapp update -g GROUP -n SITE --set clientCertEnabled=false", "client_certificate_enabled = false",
		[]string{"Checkov CKV_AZURE_17, Trivy AZU-0001, Azure Policy 5bb220d9-2698-4ee4-8404-b9c30c9df609 (ask for the opposite)"},
		func(c *check, report func(string, string, string)) {
			if yes, known := c.enabled(); known && yes && c.FrontEnd == ApplicationGateway {
				report("", "clientCertEnabled", "clientCertEnabled is true behind a gateway")
			}
		},
	},
	{
		27, Error, "the plan does not support client certificates", "they need Basic or above", "az appservice plan update -g GROUP -n PLAN --sku B1", "sku_name = \"B1\" # of the plan", nil,
		func(c *check, report func(string, string, string)) {
			sku := strings.ToUpper(c.field("sku").text())
			if yes, known := c.enabled(); known && yes && slices.Contains([]string{"F1", "D1", "FREE", "SHARED"}, sku) {
				report("", "sku", "the plan is "+sku)
			}
		},
	},
	{
		28, Information, "the hop inside the platform is not encrypted", "between front end and worker the request is plain HTTP",
		"az webapp update -g GROUP -n SITE --set endToEndEncryptionEnabled=true", "# azurerm: by azapi, properties.endToEndEncryptionEnabled = true", nil,
		func(c *check, report func(string, string, string)) {
			if yes, known := c.field("endToEndEncryptionEnabled").truth(); known && !yes {
				report("", "endToEndEncryptionEnabled", "endToEndEncryptionEnabled is false")
			}
		},
	},
	{
		29, Warning, "a certificate ends", "then the app cannot present it, or its callers refuse it", "az webapp config ssl upload -g GROUP -n SITE --certificate-file NEW.pfx --certificate-password PASSWORD", "", nil,
		func(c *check, report func(string, string, string)) {
			if !c.first {
				return
			}
			for _, cert := range c.Certificates {
				ends, err := time.Parse(time.RFC3339, cert.Expires)
				switch {
				case err != nil:
					report(Warning, cert.Thumbprint, fmt.Sprintf("the end of certificate %.64q cannot be read: %.40q", cert.Thumbprint, cert.Expires))
				case !ends.After(c.Now):
					report(Error, cert.Thumbprint, fmt.Sprintf("certificate %.64q (%.80q) has ended on %s", cert.Thumbprint, cert.Subject, ends.UTC().Format(time.DateOnly)))
				case ends.Before(c.Now.Add(c.Within)):
					report(Warning, cert.Thumbprint, fmt.Sprintf("certificate %.64q (%.80q) ends on %s", cert.Thumbprint, cert.Subject, ends.UTC().Format(time.DateOnly)))
				}
			}
		},
	},
	{
		30, Warning, "a certificate to load is not there", "it is not loaded; after a renewal the thumbprint is another", "az webapp config appsettings set -g GROUP -n SITE --settings WEBSITE_LOAD_CERTIFICATES=OLD,NEW", "app_settings = { WEBSITE_LOAD_CERTIFICATES = \"OLD,NEW\" }", nil,
		func(c *check, report func(string, string, string)) {
			wanted, ok := c.setting("WEBSITE_LOAD_CERTIFICATES")
			if !ok || wanted == "*" || !c.seenList {
				return
			}
			for thumbprint := range strings.SplitSeq(wanted, ",") {
				thumbprint = strings.TrimSpace(thumbprint)
				if thumbprint != "" && !slices.ContainsFunc(c.Certificates, func(cert Certificate) bool { return strings.EqualFold(cert.Thumbprint, thumbprint) }) {
					report("", "WEBSITE_LOAD_CERTIFICATES", fmt.Sprintf("WEBSITE_LOAD_CERTIFICATES names %.64q, which is not uploaded", thumbprint))
				}
			}
		},
	},
	{
		31, Information, "all certificates are loaded", "one that is uploaded by hand appears only after a restart", "", "", nil,
		func(c *check, report func(string, string, string)) {
			if wanted, ok := c.setting("WEBSITE_LOAD_CERTIFICATES"); ok && strings.TrimSpace(wanted) == "*" {
				report("", "WEBSITE_LOAD_CERTIFICATES", "WEBSITE_LOAD_CERTIFICATES is *")
			}
		},
	},
	{
		32, Information, "no certificate is loaded", "uploading alone loads nothing", "az webapp config appsettings set -g GROUP -n SITE --settings WEBSITE_LOAD_CERTIFICATES=THUMBPRINT", "app_settings = { WEBSITE_LOAD_CERTIFICATES = \"THUMBPRINT\" }", nil,
		func(c *check, report func(string, string, string)) {
			if wanted, ok := c.setting("WEBSITE_LOAD_CERTIFICATES"); c.Outbound && c.allSet && (!ok || strings.TrimSpace(wanted) == "") {
				report("", "WEBSITE_LOAD_CERTIFICATES", "the app presents a certificate, and WEBSITE_LOAD_CERTIFICATES is not set")
			}
		},
	},
	{
		NotJudged, Warning, "cannot be judged from this input", "what is not known is no pass", "", "", nil,
		func(c *check, report func(string, string, string)) {
			for _, need := range c.needed() {
				switch v := c.field(need.field); {
				case !v.known():
					report("", need.field, fmt.Sprintf("%s is unknown; add the output of: %s", need.field, need.command))
				case len(need.values) > 0 && !slices.Contains(need.values, strings.ToLower(v.text())):
					report("", need.field, fmt.Sprintf("%s is %.40q, want one of: %s", need.field, v.text(), strings.Join(need.values, ", ")))
				}
			}
			for _, field := range decisive {
				if other, v := c.others[field], c.field(field); other != nil {
					report("", field, fmt.Sprintf("%s is %.40q here and %.40q in %s:%d; audit what is deployed and what will be one at a time", field, v.text(), other.text(), other.file, other.line))
				}
			}
		},
	},
	{
		34, Information, "slots exist", "each slot has settings of its own for client certificates, HTTPS and TLS, and by default a swap does not move them", "", "", nil,
		func(c *check, report func(string, string, string)) {
			if swap := c.field("targetSwapSlot"); c.hasSlots || swap.known() && swap.text() != "" {
				report("", "targetSwapSlot", "audit each slot: az webapp show -g GROUP -n SITE --slot SLOT")
			}
		},
	},
	{
		35, Warning, "the tools separate exclusions differently", "one tool may write the list anew in a form that the other does not read", azNoExclude, tfNoExclude, nil,
		func(c *check, report func(string, string, string)) {
			text := c.field("clientCertExclusionPaths").text()
			if len(c.separators) == 2 && !(strings.Contains(text, ",") && strings.Contains(text, ";")) {
				report("", "clientCertExclusionPaths", "one input separates the paths by \",\" and another by \";\"")
			}
		},
	},
}
