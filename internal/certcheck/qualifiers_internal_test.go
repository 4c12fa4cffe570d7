package certcheck

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// certificatePolicies by RFC 5280, section 4.2.1.4:
//
//	SEQUENCE OF SEQUENCE { OID, SEQUENCE OF SEQUENCE { OID, ANY } OPTIONAL }
//
// Anything else is not known, and an unknown critical extension is refused.
func TestQualifiers_WhatCannotBeReadIsNotKnown(t *testing.T) {
	element := func(tag byte, parts ...string) string {
		content := ""
		for _, part := range parts {
			content += part
		}
		return string([]byte{tag, byte(len(content))}) + content
	}
	seq := func(parts ...string) string { return element(0x30, parts...) }
	set := func(parts ...string) string { return element(0x31, parts...) }
	id := element(0x06, "\x2a\x03\x04")
	cps := seq(element(0x06, "\x2b\x06\x01\x05\x05\x07\x02\x01"), element(0x16, "x"))
	notice := seq(element(0x06, "\x2b\x06\x01\x05\x05\x07\x02\x02"), seq())
	other := seq(element(0x06, "\x2b\x06\x01\x05\x05\x07\x02\x03"), element(0x16, "x"))
	policy := seq(id, seq(cps))
	for _, tc := range []struct {
		name  string
		value string
		known bool
	}{
		{"a policy", seq(seq(id)), true},
		{"with CPS and notice", seq(seq(id, seq(cps, notice))), true},
		{"two policies", seq(seq(id), policy), true},
		{"nothing", "", false},
		{"cut short", policy[:len(policy)-1], false},
		{"a byte behind", seq(policy) + "\x00", false},
		{"an element behind", seq(policy) + seq(policy), false},
		{"a SET of policies", set(policy), false},
		{"a byte after the policies", seq(policy, "\x00"), false},
		{"a policy that is a SET", seq(set(id)), false},
		{"an empty policy", seq(seq()), false},
		{"a policy of a byte", seq(seq("\x06")), false},
		{"a policy without OID", seq(seq(element(0x0c, "x"))), false},
		{"a byte after the OID", seq(seq(id, "\x30")), false},
		{"qualifiers that are a SET", seq(seq(id, set(cps))), false},
		{"a byte after the qualifiers", seq(seq(id, seq(cps), "\x00")), false},
		{"qualifiers twice", seq(seq(id, seq(cps), seq(cps))), false},
		{"a byte after the qualifier", seq(seq(id, seq(cps, "\x00"))), false},
		{"a qualifier that is a SET", seq(seq(id, seq(set(element(0x06, "\x2b\x06\x01\x05\x05\x07\x02\x01"))))), false},
		{"an empty qualifier", seq(seq(id, seq(seq()))), false},
		{"a qualifier without OID", seq(seq(id, seq(seq(element(0x0c, "\x2b\x06\x01\x05\x05\x07\x02\x01"))))), false},
		{"a qualifier whose OID is none", seq(seq(id, seq(seq(element(0x06))))), false},
		{"another qualifier", seq(seq(id, seq(other))), false},
		{"another one after CPS", seq(seq(id, seq(cps, other))), false},
		{"another one in the second policy", seq(policy, seq(id, seq(other))), false},
	} {
		assert.Equal(t, tc.known, qualifiersAreKnown([]byte(tc.value)), tc.name)
	}
}
