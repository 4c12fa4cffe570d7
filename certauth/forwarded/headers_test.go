package forwarded_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// headerCase is one case of headers.json; the README in that folder explains the fields.
type headerCase struct {
	ID          string
	Form        string
	LeafHeader  string `json:"leaf_header"`
	ChainHeader string `json:"chain_header"`
	Headers     [][2]string
	Want        struct {
		Certs int
		None  bool
		Why   string
		Error bool
	}
}

// The cases of other projects in the form that App Service sends. If a case has another header
// name, its value is sent in X-ARR-ClientCert. Chain headers do not apply there, so those cases are
// skipped.
func TestHeaders_CasesOfOtherProjects(t *testing.T) {
	folder := os.Getenv("CERTAUTH_VECTORS")
	if folder == "" {
		t.Skip("CERTAUTH_VECTORS is not set; point it to the folder that holds headers/headers.json")
	}
	content, err := os.ReadFile(filepath.Join(folder, "headers", "headers.json"))
	require.NoError(t, err)
	var cases []headerCase
	require.NoError(t, json.Unmarshal(content, &cases))
	onAppService(t)
	ran := 0
	for _, c := range cases {
		if c.Form != "base64-der" || c.Want.Certs > 1 {
			continue
		}
		ran++
		t.Run(c.ID, func(t *testing.T) {
			r := arriving()
			for _, h := range c.Headers {
				if strings.EqualFold(h[0], c.LeafHeader) {
					h[0] = "X-ARR-ClientCert"
				}
				r.Header.Add(h[0], h[1])
			}
			certs, err := read(t, forwarded.AppService{}, r)
			assert.Len(t, certs, c.Want.Certs)
			switch {
			case c.Want.Certs == 1:
				require.NoError(t, err)
				assert.Equal(t, "bfaf1f7e070f9fa8dd62905f158da73f84a1136624fbafcc9393c8f7287a69eb", thumbprint(certs[0].Raw))
				assert.Equal(t, time.Date(2020, 1, 14, 22, 55, 33, 0, time.UTC), certs[0].NotBefore, "RFC 9440, Appendix A")
			case c.Want.None:
				require.Equal(t, "absent", c.Want.Why)
				assert.Equal(t, certauth.ReasonCertificateMissing, reasonOf(err))
			default:
				require.True(t, c.Want.Error)
				assert.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(err))
			}
		})
	}
	assert.Equal(t, 9, ran)
}
