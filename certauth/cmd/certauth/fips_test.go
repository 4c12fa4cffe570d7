package main

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// finding N12: under fips140=only, the SHA-1 thumbprint of a certificate, and a PFX, caused a
// panic. The thumbprint is now omitted, and the PFX is refused. The mode applies to a whole
// process.
func TestInspect_LeavesSHA1OutUnderFIPSOnly(t *testing.T) {
	client := certauthtest.SelfSigned(t, "orders")
	if !fips140.Enforced() {
		assert.Len(t, describe(client.Certificate).SHA1, 40)
		self, err := os.Executable()
		require.NoError(t, err)
		command := exec.CommandContext(t.Context(), self, "-test.run", "^"+t.Name()+"$", "-test.v")
		command.Env = append(os.Environ(), "GODEBUG=fips140=only")
		out, err := command.CombinedOutput()
		require.NoError(t, err, string(out))
		assert.Contains(t, string(out), "--- PASS: "+t.Name())
		return
	}
	d := describe(client.Certificate)
	assert.Empty(t, d.SHA1)
	assert.Len(t, d.SHA256, 64)
	_, err := decodeForm([]byte{0x30, 0x03, 0x02, 0x01, 0x03}, "") // as a PFX begins
	require.ErrorContains(t, err, "fips140=only")
}
