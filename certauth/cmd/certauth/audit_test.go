package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// finding N36: without a property that decides whether there is an error, the exit status was 0, as if all were well.
// The status promises an answer, and az webapp show alone does not show all properties.
func TestAudit_WhatTheInputDoesNotShowIsNoPass(t *testing.T) {
	all := []string{`"httpsOnly": true`, `"clientCertEnabled": true`, `"clientCertMode": "Required"`, `"minTlsVersion": "1.2"`}
	site := func(properties ...string) string {
		return `{"name": "site", "type": "Microsoft.Web/sites", "properties": {` + strings.Join(properties, ", ") + `}}`
	}
	whole := strings.Replace(site(all[:3]...), `}}`, `, "siteConfig": {`+all[3]+`}}}`, 1)
	assert.Equal(t, exitOK, certauthRun(t, whole, "audit", "-").code)
	for _, property := range all {
		for _, unknown := range []string{"", strings.Split(property, ":")[0] + `: null`, strings.Split(property, ":")[0] + `: "[parameters('p')]"`} {
			input := strings.ReplaceAll(strings.Replace(whole, property, unknown, 1), "{, ", "{")
			input = strings.ReplaceAll(strings.ReplaceAll(input, ", ,", ","), ", }", "}")
			got := certauthRun(t, input, "audit", "-")
			assert.Equal(t, exitFailed, got.code, "%s: %s%s", input, got.out, got.errs)
			assert.Contains(t, got.out, fmt.Sprintf("%s is unknown; add the output of: az webapp", strings.Trim(strings.Split(property, ":")[0], `"`)))
		}
	}
	// finding N67: of a value that is none of those that the property can have, nothing was said.
	for property, value := range map[string]string{
		`"httpsOnly": true`: `"httpsOnly": "0"`, `"clientCertEnabled": true`: `"clientCertEnabled": "on"`, `"minTlsVersion": "1.2"`: `"minTlsVersion": "TLS 1.0"`,
	} {
		got := certauthRun(t, strings.Replace(whole, property, value, 1), "audit", "-")
		assert.Equal(t, exitFailed, got.code, "%s: %s%s", value, got.out, got.errs)
		assert.Contains(t, got.out, strings.Replace(value[1:], `": `, " is ", 1)+", want one of: ")
	}
	for frontEnd, want := range map[string]int{"platform": exitOK, "application-gateway": exitFailed, "front-door": exitFailed} {
		assert.Equal(t, want, certauthRun(t, whole, "audit", "-front-end", frontEnd, "-").code, frontEnd)
	}
	off := strings.Replace(strings.Replace(whole, `"clientCertEnabled": true`, `"clientCertEnabled": false`, 1), `"httpsOnly": true, `, "", 1)
	assert.Equal(t, exitNo, certauthRun(t, off, "audit", "-").code, "an error is an answer")
}
