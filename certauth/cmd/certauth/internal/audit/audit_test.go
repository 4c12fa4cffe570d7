package audit_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/cmd/certauth/internal/audit"
)

type object = map[string]any

// model is a site in a form independent of tools; each tool writes it in its own form.
type model struct {
	site, config object
	settings     map[string]string
	slot         bool
	certificates []object
}

var now = time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)

// clean returns a site without mistakes.
func clean() *model {
	return &model{
		site: object{
			"httpsOnly": true, "clientCertEnabled": true, "clientCertMode": "Required", "clientCertExclusionPaths": nil,
			"endToEndEncryptionEnabled": true, "publicNetworkAccess": "Enabled", "sku": "PremiumV3",
		},
		config: object{
			"minTlsVersion": "1.2", "scmMinTlsVersion": "1.2", "http20Enabled": false, "healthCheckPath": nil, "alwaysOn": false,
			"ipSecurityRestrictions": []any{}, "ipSecurityRestrictionsDefaultAction": nil,
		},
		settings: map[string]string{"WEBSITE_RUN_FROM_PACKAGE": "1"},
	}
}

// The four shapes. Each returns the files that an operator has.
var shapes = map[string]func(*model) map[string]any{
	"az": func(m *model) map[string]any {
		site := object{"name": "site", "type": "Microsoft.Web/sites", "siteConfig": object{"minTlsVersion": nil, "http20Enabled": false}}
		maps.Copy(site, m.site)
		config := object{"name": "site", "type": "Microsoft.Web/sites/config", "ftpsState": "FtpsOnly"}
		maps.Copy(config, m.config)
		var settings []any
		for _, name := range slices.Sorted(maps.Keys(m.settings)) {
			settings = append(settings, object{"name": name, "value": m.settings[name], "slotSetting": false})
		}
		files := map[string]any{"1-show.json": site, "2-config.json": config, "3-settings.json": settings}
		if m.slot {
			site["targetSwapSlot"] = "staging"
		}
		return files
	},
	"ARM": func(m *model) map[string]any {
		properties := object{}
		maps.Copy(properties, m.site)
		delete(properties, "sku")
		settings := object{}
		for name, text := range m.settings {
			settings[name] = text
		}
		site := object{"type": "Microsoft.Web/sites", "apiVersion": "2024-04-01", "name": "[parameters('name')]", "properties": properties, "resources": []any{
			object{"type": "config", "name": "web", "properties": m.config},
			object{"type": "config", "name": "appsettings", "properties": settings},
		}}
		if m.site["sku"] != nil {
			site["sku"] = object{"name": m.site["sku"]}
		}
		resources := []any{object{"type": "Microsoft.Web/serverfarms", "name": "plan"}, site}
		if m.slot {
			slot := object{"type": "Microsoft.Web/sites/slots", "name": "[parameters('name')]/staging", "properties": properties}
			own := object{}
			maps.Copy(own, properties)
			own["siteConfig"] = m.config
			slot["properties"] = own
			resources = append(resources, slot)
		}
		return map[string]any{"template.json": object{"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0", "resources": resources}}
	},
	"Bicep": func(m *model) map[string]any {
		properties := object{}
		maps.Copy(properties, m.site)
		delete(properties, "sku")
		own := object{}
		maps.Copy(own, m.config)
		var settings []any
		for name, text := range m.settings {
			settings = append(settings, object{"name": name, "value": text})
		}
		own["appSettings"] = settings
		properties["siteConfig"] = own
		site := object{"type": "Microsoft.Web/sites", "apiVersion": "2024-04-01", "name": "[format('site-{0}', parameters('env'))]", "properties": properties}
		if m.site["sku"] != nil {
			site["sku"] = object{"name": m.site["sku"]}
		}
		resources := object{"plan": object{"type": "Microsoft.Web/serverfarms", "name": "plan"}, "site": site}
		if m.slot {
			resources["slot"] = object{"type": "Microsoft.Web/sites/slots", "name": "[format('site-{0}', parameters('env'))]/staging", "properties": properties}
		}
		return map[string]any{"main.json": object{
			"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "languageVersion": "2.0", "contentVersion": "1.0.0.0",
			"metadata": object{"_generator": object{"name": "bicep"}}, "resources": resources,
		}}
	},
	"Terraform": func(m *model) map[string]any {
		names := map[string]string{
			"httpsOnly": "https_only", "clientCertEnabled": "client_certificate_enabled", "clientCertMode": "client_certificate_mode",
			"clientCertExclusionPaths": "client_certificate_exclusion_paths", "minTlsVersion": "minimum_tls_version", "scmMinTlsVersion": "scm_minimum_tls_version",
			"http20Enabled": "http2_enabled", "healthCheckPath": "health_check_path", "alwaysOn": "always_on",
			"ipSecurityRestrictionsDefaultAction": "ip_restriction_default_action",
		}
		values, config := object{"name": "site"}, object{}
		for ours, value := range m.site {
			if theirs, ok := names[ours]; ok {
				values[theirs] = value
			}
		}
		if public, ok := m.site["publicNetworkAccess"]; ok {
			values["public_network_access_enabled"] = public == "Enabled"
		}
		for ours, value := range m.config {
			if theirs, ok := names[ours]; ok {
				config[theirs] = value
			}
		}
		var restrictions []any
		list, _ := m.config["ipSecurityRestrictions"].([]any)
		for _, rule := range list {
			r, _ := rule.(object)
			theirs := object{"action": r["action"], "name": r["name"], "headers": []any{}}
			if r["tag"] == "ServiceTag" {
				theirs["service_tag"] = r["ipAddress"]
			} else {
				theirs["ip_address"] = r["ipAddress"]
			}
			if headers, ok := r["headers"].(object); ok {
				theirs["headers"] = []any{object{"x_azure_fdid": headers["x-azure-fdid"]}}
			}
			restrictions = append(restrictions, theirs)
		}
		if m.config["ipSecurityRestrictions"] != nil {
			config["ip_restriction"] = append([]any{}, restrictions...)
		}
		values["site_config"] = []any{config}
		settings := object{}
		for name, text := range m.settings {
			settings[name] = text
		}
		values["app_settings"] = settings
		resources := []any{object{"address": "azurerm_linux_web_app.site", "type": "azurerm_linux_web_app", "name": "site", "values": values}}
		if m.slot {
			slot := object{}
			maps.Copy(slot, values)
			slot["name"], slot["app_service_id"] = "staging", "/subscriptions/0/resourceGroups/g/providers/Microsoft.Web/sites/site"
			resources = append(resources, object{"address": "azurerm_linux_web_app_slot.staging", "type": "azurerm_linux_web_app_slot", "values": slot})
		}
		return map[string]any{"plan.json": object{"format_version": "1.2", "terraform_version": "1.9.0", "values": object{"root_module": object{
			"resources": []any{}, "child_modules": []any{object{"resources": resources}},
		}}}}
	},
}

func run(t *testing.T, shape string, m *model, o audit.Options) []audit.Finding {
	t.Helper()
	in := &audit.Inputs{}
	files := shapes[shape](m)
	if m.certificates != nil {
		files["certificates.json"] = m.certificates
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text, err := json.MarshalIndent(files[name], "", "  ")
		require.NoError(t, err)
		require.NoError(t, in.Read(name, text))
	}
	o.Now = now
	findings, err := audit.Run(in, o)
	require.NoError(t, err)
	return findings
}

func numbers(findings []audit.Finding) (list []int) {
	for _, f := range findings {
		list = append(list, f.Rule)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func TestRun_FindsNothingOnACleanSite(t *testing.T) {
	for shape := range shapes {
		t.Run(shape, func(t *testing.T) {
			assert.Empty(t, run(t, shape, clean(), audit.Options{}))
			// finding O49: what the README recommends for the health check was a warning, whatever -exempt said.
			probed := clean()
			probed.config["healthCheckPath"], probed.settings["WEBSITE_WARMUP_STATUSES"] = "/health", "200"
			assert.Empty(t, run(t, shape, probed, audit.Options{Exempt: []string{"/health", "/robots933456.txt"}}))
			gateway := clean()
			gateway.site["clientCertEnabled"], gateway.site["publicNetworkAccess"] = false, "Disabled"
			assert.Empty(t, run(t, shape, gateway, audit.Options{FrontEnd: audit.ApplicationGateway}))
			subnet := clean()
			subnet.site["clientCertEnabled"] = false
			subnet.config["ipSecurityRestrictionsDefaultAction"] = "Deny"
			subnet.config["ipSecurityRestrictions"] = []any{object{"name": "gateway", "ipAddress": "10.1.0.0/24", "action": "Allow"}}
			assert.Empty(t, run(t, shape, subnet, audit.Options{FrontEnd: audit.ApplicationGateway}))
			door := clean()
			door.site["clientCertEnabled"] = false
			door.config["ipSecurityRestrictions"] = []any{frontDoor(object{"x-azure-fdid": []any{"id"}})}
			assert.Empty(t, run(t, shape, door, audit.Options{FrontEnd: audit.FrontDoor}))
			// finding N22: Front Door that comes over a private endpoint was an error.
			private := clean()
			private.site["clientCertEnabled"], private.site["publicNetworkAccess"] = false, "Disabled"
			assert.Empty(t, run(t, shape, private, audit.Options{FrontEnd: audit.FrontDoor}))
		})
	}
}

// finding N20: an access restriction can list up to eight ranges, separated by commas, and can name a service
// tag. Behind a gateway these were not looked at: a rule that lets the whole internet, or all of Azure,
// through was found only if its text was exactly "Any", "0.0.0.0/0" or "::/0".
func TestRun_FindsEveryRuleThatLetsOthersThanTheGatewayThrough(t *testing.T) {
	tag := func(name string) object {
		return object{"name": "rule", "tag": "ServiceTag", "ipAddress": name, "action": "Allow"}
	}
	network := func(address string) object {
		return object{"name": "rule", "ipAddress": address, "action": "Allow"}
	}
	for _, tc := range []struct {
		name string
		rule object
		want []int
	}{
		{"everything among other ranges", network("10.1.0.0/24,0.0.0.0/0"), []int{24}},
		{"everything after a space", network("10.1.0.0/24, ::/0"), []int{24}},
		{"half of the internet", network("0.0.0.0/1"), []int{24}},
		{"a network of a provider", network("20.0.0.0/8"), []int{24}},
		{"a private network and the public one around it", network("10.0.0.0/7"), []int{24}},
		{"the same, written with a private address", network("172.16.0.0/8"), []int{24}},
		{"an eighth of IPv6", network("2000::/3"), []int{24}},
		{"everybody by a service tag", tag("Internet"), []int{24}},
		{"every customer of Azure", tag("AzureCloud"), []int{24}},
		{"every customer of Azure in a region", tag("AzureCloud.westeurope"), []int{24}},
		{"availability tests, which anybody can write", tag("ApplicationInsightsAvailability"), []int{24}},
		{"the gateway's subnet", network("10.1.0.0/24"), nil},
		{"the gateway's network", network("10.0.0.0/8"), nil},
		{"the gateway's address", network("203.0.113.7/32"), nil},
		{"the gateway's addresses", network("203.0.113.7/32,2001:db8::7/128"), nil},
		{"a rule that keeps everybody out", object{"name": "rule", "ipAddress": "0.0.0.0/0", "action": "Deny"}, nil},
		{"a service tag that is kept out", object{"name": "rule", "tag": "ServiceTag", "ipAddress": "AzureCloud", "action": "Deny"}, nil},
	} {
		for shape := range shapes {
			t.Run(tc.name+", "+shape, func(t *testing.T) {
				m := clean()
				m.site["clientCertEnabled"], m.config["ipSecurityRestrictionsDefaultAction"] = false, "Deny"
				m.config["ipSecurityRestrictions"] = []any{tc.rule}
				findings := run(t, shape, m, audit.Options{FrontEnd: audit.ApplicationGateway})
				assert.Equal(t, tc.want, numbers(findings), "%+v", findings)
			})
		}
	}
}

func frontDoor(headers object) object {
	return object{"name": "door", "tag": "ServiceTag", "ipAddress": "AzureFrontDoor.Backend", "action": "Allow", "headers": headers}
}

func excluding(paths string) func(*model, *audit.Options) {
	return func(m *model, _ *audit.Options) { m.site["clientCertExclusionPaths"] = paths }
}

// Each row introduces one fault. What a tool cannot express is left out of that tool's row.
var faults = []struct {
	rule     int
	name     string
	plant    func(m *model, o *audit.Options)
	severity string
	also     []int // that the same fault also breaks
	without  []string
}{
	{rule: 1, name: "HTTP is let through", plant: func(m *model, _ *audit.Options) { m.site["httpsOnly"] = false }},
	{rule: 2, name: "off", plant: func(m *model, _ *audit.Options) {
		m.site["clientCertEnabled"], m.site["clientCertMode"] = false, "Optional"
	}},
	{rule: 3, name: "off and reads Required", plant: func(m *model, _ *audit.Options) { m.site["clientCertEnabled"] = false }, also: []int{2}},
	{rule: 4, name: "not set", plant: func(m *model, _ *audit.Options) { delete(m.site, "clientCertEnabled") }, also: []int{33}, without: []string{"az"}},
	{rule: 5, name: "a mode that nobody knows", plant: func(m *model, _ *audit.Options) { m.site["clientCertMode"] = "Requird" }},
	{rule: 6, name: "Optional", plant: func(m *model, _ *audit.Options) { m.site["clientCertMode"] = "optional" }},
	{rule: 6, name: "interactive", plant: func(m *model, _ *audit.Options) { m.site["clientCertMode"] = "OptionalInteractiveUser" }, also: []int{8}},
	{rule: 7, name: "Optional, and no routes", plant: func(m *model, o *audit.Options) {
		m.site["clientCertMode"], o.Mode = "Optional", "Optional"
	}},
	{rule: 8, name: "interactive as wanted", plant: func(m *model, o *audit.Options) {
		m.site["clientCertMode"], o.Mode, o.Protected = "OptionalInteractiveUser", "OptionalInteractiveUser", []string{"/orders"}
	}},
	{rule: 9, name: "an exclusion", plant: func(m *model, o *audit.Options) {
		m.site["clientCertExclusionPaths"], o.Exempt, o.Justified = "/health", []string{"/health"}, map[string]string{"/health": "probe; no data"}
	}},
	{rule: 9, name: "an exclusion without effect", severity: audit.Information, plant: func(m *model, o *audit.Options) {
		m.site["clientCertExclusionPaths"], o.Exempt, o.Justified = "/health", []string{"/health"}, map[string]string{"/health": "probe; no data"}
		m.site["clientCertEnabled"], m.site["clientCertMode"] = false, "Optional"
	}, also: []int{2}},
	{rule: 10, name: "the root", plant: excluding("/"), also: []int{9, 14, 20}},
	{rule: 10, name: "an empty entry", plant: excluding("/health,,/x"), also: []int{9, 13, 14, 20}},
	{rule: 10, name: "all protected routes", plant: func(m *model, o *audit.Options) {
		m.site["clientCertExclusionPaths"], o.Protected = "/api", []string{"/API/orders", "/api/refunds"}
	}, also: []int{9, 11, 14, 20}},
	{rule: 11, name: "a protected route", plant: func(m *model, o *audit.Options) {
		m.site["clientCertExclusionPaths"], o.Protected = "/Api/o", []string{"/api/orders", "/other"}
	}, also: []int{9, 12, 14, 20}},
	{rule: 11, name: "a protected route behind escapes", plant: func(m *model, o *audit.Options) {
		m.site["clientCertExclusionPaths"], o.Protected = "/api/orders", []string{"/x/..%2fapi//orders", "/other"}
	}, also: []int{9, 14, 20}},
	{rule: 12, name: "another segment", plant: func(m *model, o *audit.Options) {
		m.site["clientCertExclusionPaths"], o.Known = "/health", []string{"/healthz"}
	}, also: []int{9, 14, 20}},
	{rule: 13, name: "no slash", plant: excluding("health"), also: []int{9, 14, 20}},
	{rule: 13, name: "a wildcard", plant: excluding("/health*"), also: []int{9, 14, 20}},
	{rule: 13, name: "twice", plant: excluding("/a;/A"), also: []int{9, 14, 20}},
	{rule: 13, name: "both separators", plant: excluding("/a;/b,/c"), also: []int{9, 14, 20}},
	{rule: 13, name: "an escape", plant: excluding("/a%20b"), also: []int{9, 14, 20}},
	{rule: 13, name: "a query", plant: excluding("/a?b"), also: []int{9, 14, 20}},
	{rule: 14, name: "no reason", plant: func(m *model, o *audit.Options) {
		m.site["clientCertExclusionPaths"], o.Exempt = "/health", []string{"/health"}
	}, also: []int{9}},
	{rule: 15, name: "TLS 1.3 and an exclusion", plant: func(m *model, o *audit.Options) {
		excluding("/health")(m, o)
		m.config["minTlsVersion"] = "1.3"
	}, also: []int{9, 14, 20}},
	{rule: 16, name: "HTTP/2 and an exclusion", plant: func(m *model, o *audit.Options) {
		excluding("/health")(m, o)
		m.config["http20Enabled"] = true
	}, also: []int{9, 14, 20}},
	{rule: 17, name: "TLS 1.0", plant: func(m *model, _ *audit.Options) { m.config["minTlsVersion"] = "1.0" }},
	{rule: 18, name: "TLS 1.1 for deployments", plant: func(m *model, _ *audit.Options) { m.config["scmMinTlsVersion"] = "1.1" }},
	{rule: 19, name: "an exemption that is not reachable", plant: func(_ *model, o *audit.Options) { o.Exempt = []string{"/health"} }},
	{rule: 20, name: "an exclusion of the platform alone", plant: func(m *model, o *audit.Options) {
		m.site["clientCertExclusionPaths"], o.Justified = "/health", map[string]string{"/health": "probe"}
	}, also: []int{9}},
	{rule: 21, name: "a health check without an exemption", plant: func(m *model, _ *audit.Options) { m.config["healthCheckPath"] = "/health" }},
	{rule: 22, name: "the warm-up wants 200", plant: func(m *model, _ *audit.Options) { m.settings["WEBSITE_WARMUP_STATUSES"] = "200,202" }},
	{rule: 23, name: "Always On", plant: func(m *model, _ *audit.Options) { m.config["alwaysOn"] = true }},
	{rule: 24, name: "no restrictions", plant: func(m *model, o *audit.Options) {
		m.site["clientCertEnabled"], o.FrontEnd = false, audit.ApplicationGateway
	}},
	{rule: 24, name: "everybody is let through", plant: func(m *model, o *audit.Options) {
		m.site["clientCertEnabled"], o.FrontEnd = false, audit.ApplicationGateway
		m.config["ipSecurityRestrictions"] = []any{object{"name": "all", "ipAddress": "Any", "action": "Allow"}}
	}},
	{rule: 24, name: "the default lets through", plant: func(m *model, o *audit.Options) {
		m.site["clientCertEnabled"], o.FrontEnd = false, audit.ApplicationGateway
		m.config["ipSecurityRestrictions"] = []any{object{"name": "gateway", "ipAddress": "10.1.0.0/24", "action": "Allow"}}
		m.config["ipSecurityRestrictionsDefaultAction"] = "Allow"
	}},
	{rule: 25, name: "Front Door without its id", plant: func(m *model, o *audit.Options) {
		m.site["clientCertEnabled"], o.FrontEnd = false, audit.FrontDoor
		m.config["ipSecurityRestrictions"] = []any{frontDoor(nil)}
	}},
	{rule: 25, name: "others beside Front Door", plant: func(m *model, o *audit.Options) {
		m.site["clientCertEnabled"], o.FrontEnd = false, audit.FrontDoor
		m.config["ipSecurityRestrictions"] = []any{frontDoor(object{"x-azure-fdid": []any{"id"}}), object{"name": "office", "ipAddress": "203.0.113.0/24", "action": "Allow"}}
	}},
	// finding N21: behind Front Door the default action was not looked at. Terraform's provider sets it to
	// Allow unless it is told otherwise.
	{rule: 25, name: "the default lets through what is not Front Door", plant: func(m *model, o *audit.Options) {
		m.site["clientCertEnabled"], o.FrontEnd = false, audit.FrontDoor
		m.config["ipSecurityRestrictions"] = []any{frontDoor(object{"x-azure-fdid": []any{"id"}})}
		m.config["ipSecurityRestrictionsDefaultAction"] = "Allow"
	}},
	{rule: 26, name: "certificates behind a gateway", plant: func(m *model, o *audit.Options) {
		m.site["publicNetworkAccess"], o.FrontEnd = "Disabled", audit.ApplicationGateway
	}},
	{rule: 27, name: "a free plan", plant: func(m *model, _ *audit.Options) { m.site["sku"] = "Free" }, without: []string{"Terraform"}},
	{rule: 28, name: "plain HTTP inside", plant: func(m *model, _ *audit.Options) { m.site["endToEndEncryptionEnabled"] = false }, without: []string{"Terraform"}},
	{rule: 29, name: "a certificate has ended", severity: audit.Error, plant: func(m *model, _ *audit.Options) {
		m.certificates = []object{{"thumbprint": "AA11", "subjectName": "x", "expirationDate": "2026-11-28T23:59:59+00:00"}}
	}},
	{rule: 29, name: "a certificate ends", severity: audit.Warning, plant: func(m *model, _ *audit.Options) {
		m.certificates = []object{{"thumbprint": "AA11", "subjectName": "x", "expirationDate": "2026-12-20T00:00:00+00:00"}}
	}},
	{rule: 30, name: "a thumbprint that is not there", plant: func(m *model, _ *audit.Options) {
		m.settings["WEBSITE_LOAD_CERTIFICATES"] = "aa11,BB22"
		m.certificates = []object{{"thumbprint": "AA11", "subjectName": "x", "expirationDate": "2028-01-01T00:00:00+00:00"}}
	}},
	{rule: 31, name: "all certificates", plant: func(m *model, _ *audit.Options) { m.settings["WEBSITE_LOAD_CERTIFICATES"] = "*" }},
	{rule: 32, name: "no certificate is loaded", plant: func(_ *model, o *audit.Options) { o.Outbound = true }},
	{rule: 33, name: "an expression of a template", plant: func(m *model, _ *audit.Options) { m.site["httpsOnly"] = "[parameters('https')]" }, without: []string{"Terraform"}},
	{rule: 33, name: "null", plant: func(m *model, _ *audit.Options) { m.config["minTlsVersion"] = nil }},
	{rule: 34, name: "a slot", plant: func(m *model, _ *audit.Options) { m.slot = true }},
}

func TestRun_FindsEachFaultInEachShape(t *testing.T) {
	covered := map[int]bool{35: true} // requires two tools; see below
	for _, tc := range faults {
		covered[tc.rule] = true
		for shape := range shapes {
			if slices.Contains(tc.without, shape) {
				continue
			}
			t.Run(fmt.Sprintf("%d %s, %s", tc.rule, tc.name, shape), func(t *testing.T) {
				m, o := clean(), audit.Options{}
				tc.plant(m, &o)
				findings := run(t, shape, m, o)
				want := append([]int{tc.rule}, tc.also...)
				slices.Sort(want)
				assert.Equal(t, want, numbers(findings), "%+v", findings)
				for _, f := range findings {
					assert.Positive(t, f.Line)
					assert.NotEmpty(t, f.File)
					assert.NotEmpty(t, f.Message)
					assert.NotEmpty(t, f.Why)
					if f.Rule == tc.rule && tc.severity != "" {
						assert.Equal(t, tc.severity, f.Severity)
					}
				}
				checkSARIF(t, findings)
			})
		}
	}
	for _, r := range audit.Rules {
		assert.True(t, covered[r.Number], "rule %d has no fault", r.Number)
	}
	assert.Len(t, audit.Rules, 35)
}

// checkSARIF checks the requirements of GitHub beyond the schema; SARIF itself checks the schema.
func checkSARIF(t *testing.T, findings []audit.Finding) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, audit.SARIF(&b, findings, ""))
	var parsed struct {
		Version string
		Runs    []struct {
			Results []struct {
				RuleID              string
				PartialFingerprints map[string]string
				Locations           []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine int }
					}
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal(b.Bytes(), &parsed))
	assert.Equal(t, "2.1.0", parsed.Version)
	require.Len(t, parsed.Runs, 1)
	require.Len(t, parsed.Runs[0].Results, len(findings))
	for _, result := range parsed.Runs[0].Results {
		require.NotEmpty(t, result.Locations)
		assert.NotEmpty(t, result.Locations[0].PhysicalLocation.ArtifactLocation.URI)
		assert.Positive(t, result.Locations[0].PhysicalLocation.Region.StartLine)
		assert.NotEmpty(t, result.PartialFingerprints)
	}
}

func TestSARIF_WhatCameFromStdinIsAboutAFileThatIsNamed(t *testing.T) {
	findings := []audit.Finding{{ID: "CERTAUTH01", Severity: audit.Error, Message: "m", Why: "w", File: "-", Line: 7}}
	var b bytes.Buffer
	require.Error(t, audit.SARIF(&b, findings, ""))
	require.NoError(t, audit.SARIF(&b, findings, "infra/main.bicep"))
	assert.Contains(t, b.String(), "infra/main.bicep")
	b.Reset()
	require.NoError(t, audit.SARIF(&b, nil, ""), "a report without findings is valid too")
}

// Rule 35: the exclusions of one site, as two tools write them.
func TestRun_FindsTwoSeparators(t *testing.T) {
	in := &audit.Inputs{}
	require.NoError(t, in.Read("show.json", []byte(`{"name": "site", "type": "Microsoft.Web/sites", "httpsOnly": true, "clientCertEnabled": true, "clientCertExclusionPaths": "/a,/b"}`)))
	require.NoError(t, in.Read("plan.json", []byte(`{"terraform_version": "1", "values": {"root_module": {"resources": [{"type": "azurerm_linux_web_app", "values": {"name": "site", "client_certificate_exclusion_paths": "/a;/b"}}]}}}`)))
	findings, err := audit.Run(in, audit.Options{Now: now})
	require.NoError(t, err)
	assert.Contains(t, numbers(findings), 35)
	assert.NotContains(t, numbers(findings), 13)
}

// finding O68: of two inputs that contradict each other the last one counted, so that the audit of a site whose client
// certificates are off passed if a plan that switches them on was read after it.
func TestRun_WhatInputsContradictIsNoPass(t *testing.T) {
	live := `{"name": "site", "type": "Microsoft.Web/sites", "httpsOnly": true, "clientCertEnabled": false, "clientCertMode": "Required"}`
	plan := `{"terraform_version": "1", "values": {"root_module": {"resources": [{"type": "azurerm_linux_web_app", "values": {"name": "site", "https_only": true, "client_certificate_enabled": true, "client_certificate_mode": "Required"}}]}}}`
	config := `{"name": "site", "type": "Microsoft.Web/sites/config", "minTlsVersion": "1.2", "http20Enabled": false}`
	for _, files := range [][]string{{live, plan, config}, {plan, live, config}, {live, live, config}} {
		in := &audit.Inputs{}
		for _, text := range files {
			require.NoError(t, in.Read("x.json", []byte(text)))
		}
		findings, err := audit.Run(in, audit.Options{Now: now})
		require.NoError(t, err)
		assert.Equal(t, files[0] != files[1], slices.Contains(numbers(findings), audit.NotJudged), files)
		assert.Equal(t, files[1] == live, slices.Contains(numbers(findings), 2), files)
	}
}

// finding P31: the resources azurerm_app_service and azurerm_function_app were read, but not the names that they have for
// client certificates and for the version of TLS (documentation of azurerm 3, and tfsec's rule use-secure-tls-policy).
func TestRun_ReadsTheNamesOfOlderTerraformResources(t *testing.T) {
	for _, kind := range []string{"azurerm_app_service", "azurerm_app_service_slot", "azurerm_function_app"} {
		in := &audit.Inputs{}
		require.NoError(t, in.Read("plan.json", []byte(`{"terraform_version": "1", "values": {"root_module": {"resources": [{"type": "`+kind+`", "values": {
			"name": "site", "https_only": true, "client_cert_enabled": false, "client_cert_mode": "Required", "site_config": [{"min_tls_version": "1.0"}]}}]}}}`)))
		findings, err := audit.Run(in, audit.Options{Now: now})
		require.NoError(t, err)
		assert.Equal(t, []int{2, 3, 17}, numbers(findings), kind)
	}
}

func TestRead_RefusesWhatIsNoneOfTheForms(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":         ``,
		"half":            `{"clientCertEnabled": tr`,
		"text":            `az: command not found`,
		"another object":  `{"a": 1}`,
		"another list":    `[{"a": 1}]`,
		"another plan":    `{"terraform_version": "1", "values": {"root_module": {"resources": [{"type": "azurerm_storage_account", "values": {}}]}}}`,
		"no site":         `{"$schema": "x", "resources": [{"type": "Microsoft.Storage/storageAccounts"}]}`,
		"too deep":        strings.Repeat(`[`, 100_000),
		"a site and more": `{"httpsOnly": true, "name": "a"} {"a": 1}`,
	} {
		t.Run(name, func(t *testing.T) { assert.Error(t, new(audit.Inputs).Read("x.json", []byte(text))) })
	}
}

func TestRun_WithoutASiteIsAnError(t *testing.T) {
	in := &audit.Inputs{}
	require.NoError(t, in.Read("certificates.json", []byte(`[{"thumbprint": "AA"}]`)))
	_, err := audit.Run(in, audit.Options{Now: now})
	assert.ErrorContains(t, err, "no site")
}

// If there are two sites, a configuration that names no site could belong to either.
func TestRun_DoesNotGuessWhoseConfigurationItIs(t *testing.T) {
	in := &audit.Inputs{}
	require.NoError(t, in.Read("a.json", []byte(`[{"name": "a", "httpsOnly": true}, {"name": "b", "httpsOnly": true}]`)))
	require.NoError(t, in.Read("settings.json", []byte(`[{"name": "X", "value": "1"}]`)))
	_, err := audit.Run(in, audit.Options{Now: now})
	assert.ErrorContains(t, err, "audit one site at a time")
}

func FuzzRead(f *testing.F) {
	for _, shape := range shapes {
		for _, file := range shape(clean()) {
			text, err := json.Marshal(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		in := &audit.Inputs{}
		if in.Read("x.json", text) != nil {
			return
		}
		findings, err := audit.Run(in, audit.Options{Now: now, Protected: []string{"/a"}, Exempt: []string{"/b"}})
		if err != nil {
			return
		}
		for _, finding := range findings {
			require.Positive(t, finding.Line)
			require.Equal(t, "x.json", finding.File)
		}
	})
}

// finding O48: Microsoft's "Set up staging environments" lists client certificates, HTTPS and the TLS version among the
// settings that a swap does not move.
func TestRules_ASwapMovesNoClientCertificates(t *testing.T) {
	i := slices.IndexFunc(audit.Rules, func(rule audit.Rule) bool { return rule.Number == 34 })
	assert.Contains(t, audit.Rules[i].Why, "by default a swap does not move them")
}
