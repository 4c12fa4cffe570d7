package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// wanted are the settings without which the service must not be on the network, or does not start,
// as site.json, site.bicep and a command of README.md contain them.
var wanted = []struct {
	name    string
	value   any
	command string
}{
	{"httpsOnly", true, "httpsOnly=true"},
	{"clientCertEnabled", true, "clientCertEnabled=true"},
	{"clientCertMode", "Required", "clientCertMode=Required"},
	{"clientCertExclusionPaths", "", "clientCertExclusionPaths= "},
	{"siteConfig.minTlsVersion", "1.2", "--min-tls-version 1.2"},
	{"siteConfig.ftpsState", "Disabled", "--ftps-state Disabled"},
	{"siteConfig.http20Enabled", true, "--http20-enabled true"},
	{"siteConfig.alwaysOn", true, "--always-on true"},
	{"siteConfig.healthCheckPath", "/health", `"healthCheckPath": "/health"`},
	{"siteConfig.vnetRouteAllEnabled", true, ""},
}

// finding N7: a deployment was not documented. Template, commands and program must agree.
func TestDeploy_TemplateCommandsAndProgramAgree(t *testing.T) {
	bicep, readme, program, image := read(t, "site.bicep"), read(t, "README.md"), read(t, "main.go"), read(t, "Dockerfile")
	site := resource(t, "Microsoft.Web/sites")
	for _, want := range wanted {
		var have any = site
		for part := range strings.SplitSeq(want.name, ".") {
			object, ok := have.(map[string]any)
			require.True(t, ok, want.name)
			have = object[part]
		}
		assert.Equal(t, want.value, have, want.name)
		assert.Contains(t, readme, want.command)
		name := want.name[strings.LastIndex(want.name, ".")+1:]
		text, ok := want.value.(string)
		if ok {
			text = "'" + text + "'"
		} else {
			text = "true"
		}
		assert.Regexp(t, `(?m)^ +`+name+`: `+regexp.QuoteMeta(text)+`$`, bicep)
	}
	assert.Contains(t, program, `Path: "/health"`, "the health check is excluded in the program, and not at the front end")

	const port = "8080"
	assert.Contains(t, program, `cmp.Or(os.Getenv("PORT"), "`+port+`")`)
	assert.Contains(t, image, "ENV PORT="+port)
	assert.Contains(t, readme, "WEBSITES_PORT="+port)
	for _, file := range []string{"partner-roots.pem", "partner-issuing.pem"} {
		assert.Contains(t, program, file)
		assert.Contains(t, image, file)
		assert.Contains(t, readme, file)
	}
	assert.Contains(t, read(t, "../../go.mod"), "go 1.26.")
	assert.Contains(t, image, "FROM golang:1.26.")
}

// finding N125: some examples for App Service had no issuing CAs, which it does not forward, so that every partner of a CA
// below a root was refused, also that of examples/appservice/local.
func TestExamples_ForAppServiceHaveTheCAsThatItDoesNotForward(t *testing.T) {
	names, err := filepath.Glob("../*/main.go")
	require.NoError(t, err)
	found := 0
	for _, name := range names {
		if program := read(t, name); strings.Contains(program, "forwarded.AppService{") && strings.Contains(program, "certauth.Chain{") {
			found++
			assert.Contains(t, program, "Intermediates", name)
		}
	}
	assert.Greater(t, found, 5)
}

// The network access that OCSP and CRLs need stays open.
func TestDeploy_RevocationHasAWayOut(t *testing.T) {
	rules, ok := resource(t, "Microsoft.Network/networkSecurityGroups")["securityRules"].([]any)
	require.True(t, ok)
	require.Len(t, rules, 1)
	rule, ok := rules[0].(map[string]any)["properties"].(map[string]any)
	require.True(t, ok)
	assert.Equal(t, "Outbound", rule["direction"])
	assert.Equal(t, "Allow", rule["access"])
	assert.Equal(t, []any{"80", "443"}, rule["destinationPortRanges"])
	assert.Contains(t, read(t, "site.bicep"), "name: 'AllowRevocation'")
}

// The template matches the Bicep file, resource by resource and property by property.
func TestDeploy_TemplateAndBicepHaveTheSameResources(t *testing.T) {
	bicep, template := read(t, "site.bicep"), read(t, "site.json")
	declared := regexp.MustCompile(`(?m)^resource \w+ '([^@']+)@([^']+)'`).FindAllStringSubmatch(bicep, -1)
	require.Len(t, declared, 4)
	for _, one := range declared {
		assert.Regexp(t, `"type": "`+regexp.QuoteMeta(one[1])+`",\s+"apiVersion": "`+one[2]+`"`, template)
	}
	names := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^ +(\w+):`).FindAllStringSubmatch(bicep, -1) {
		names[match[1]] = true
	}
	require.Greater(t, len(names), 30)
	for name := range names {
		assert.Contains(t, template, `"`+name+`":`)
	}
	_, resources, found := strings.Cut(template, `"resources": [`)
	require.True(t, found)
	var known []string
	for _, match := range regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(resources, -1) {
		known = append(known, match[1])
	}
	for _, name := range known {
		switch name {
		case "resources", "type", "apiVersion", "dependsOn": // another name, or none, in Bicep
		default:
			assert.True(t, names[name], name)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

// resource returns the properties of the one resource of the type.
func resource(t *testing.T, kind string) map[string]any {
	t.Helper()
	var template struct {
		Resources []struct {
			Type       string         `json:"type"`
			Properties map[string]any `json:"properties"`
		} `json:"resources"`
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, "site.json")), &template))
	for _, one := range template.Resources {
		if one.Type == kind {
			return one.Properties
		}
	}
	require.Fail(t, "no resource", kind)
	return nil
}
