package certauth_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/chaingen"
)

// otherOpinion is what a verifier says about a chain that is accepted here; empty if it accepts.
type otherOpinion struct {
	chaingen.Chain
	says string
}

// otherwise is the reason why a verifier refuses a chain that is accepted here.
type otherwise struct {
	section, why string
	holds        func(o otherOpinion) bool
}

// Random chains that are also judged by two verifiers for Python: pyhanko-certvalidator and
// cryptography, in the versions of internal/chaingen/opinions. CERTAUTH_PYTHON names a Python that
// has them.
func TestChain_AcceptsNothingThatOthersRefuseWithoutReason(t *testing.T) {
	python := os.Getenv("CERTAUTH_PYTHON")
	if python == "" {
		t.Skip("CERTAUTH_PYTHON is not set; it names a Python with the packages of internal/chaingen/opinions/requirements.txt")
	}
	seed, count := chainSeed(t)
	generator, err := chaingen.New(seed)
	require.NoError(t, err)
	var chains []chaingen.Chain
	var input bytes.Buffer
	for i := range count {
		chain, err := generator.Chain(i)
		require.NoError(t, err)
		var others [][]byte
		for _, ca := range chain.Others {
			if ca == chain.Stray { // their verdict on it hides their verdict on the path
				continue
			}
			others = append(others, ca.Raw)
		}
		require.NoError(t, json.NewEncoder(&input).Encode(map[string]any{"root": chain.Root.Raw, "others": others, "leaf": chain.Leaf.Raw, "time": chaingen.Now.Format(time.RFC3339)}))
		chains = append(chains, chain)
	}
	command := exec.CommandContext(t.Context(), python, "../internal/chaingen/opinions/opinions.py")
	command.Stdin = &input
	output, err := command.Output()
	require.NoError(t, err)
	lines := bufio.NewScanner(bytes.NewReader(output))
	agreed := map[string]int{}
	for i, chain := range chains {
		require.True(t, lines.Scan(), "one line for each chain")
		var said map[string]string
		require.NoError(t, json.Unmarshal(lines.Bytes(), &said))
		require.Len(t, said, len(othersRefuse))
		if ourOpinion(t, chain, i%2 == 0) != nil {
			continue
		}
		for verifier, reasons := range othersRefuse {
			o := otherOpinion{chain, said[verifier]}
			if o.says == "" {
				agreed[verifier]++
				continue
			}
			assert.True(t, slices.ContainsFunc(reasons, func(r otherwise) bool { return r.holds(o) }),
				"no line says why, seed %d, chain %d: %s says %s\n%s", seed, i, verifier, o.says, strings.Join(o.Traits, "\n"))
		}
	}
	for verifier := range othersRefuse {
		t.Logf("accepted here and by %s: %d", verifier, agreed[verifier])
		assert.Greater(t, agreed[verifier], count/16, "%s accepts too few to be meaningful", verifier)
	}
}

// othersRefuse lists the reasons why a verifier refuses a chain that is accepted here.
var othersRefuse = map[string][]otherwise{
	"pyhanko": {
		{"RFC 5280, section 7.1", "spaces do not count; pyhanko counts them", func(o otherOpinion) bool {
			return strings.HasPrefix(o.says, "PathBuildingError") && o.Has("spells its issuer in another way")
		}},
		{"RFC 5280, section 4.2.1.12", "anyExtendedKeyUsage puts no restriction on the use; pyhanko asks for clientAuth by its own name", func(o otherOpinion) bool {
			return strings.Contains(o.says, "client auth") && o.Has("any extended key usage")
		}},
		{"RFC 5280, section 4.2.1.10", "a constraint of a form that does not occur below restricts nothing; pyhanko fails to read it", func(o otherOpinion) bool {
			return strings.HasPrefix(o.says, "TypeError") && o.Has("constrains user principal names")
		}},
		{"RFC 5280, section 4.2.1.1", "key identifiers facilitate path construction and are no part of validation; pyhanko takes a CA with another one for no issuer", func(o otherOpinion) bool {
			return strings.HasPrefix(o.says, "PathBuildingError") && o.Has("names another key identifier")
		}},
		{"RFC 5280, section 6.1.3 (a) (1)", "of several keys of one name the signature decides; pyhanko takes the first certificate of the name", func(o otherOpinion) bool {
			return strings.Contains(o.says, "the signature of") && o.Has("is self-issued")
		}},
		{"RFC 5280, section 4.2.1.10", "IP addresses can be constrained; pyhanko does not compare them", func(o otherOpinion) bool {
			return strings.HasPrefix(o.says, "NotImplementedError") && o.Has("constrains IP addresses")
		}},
		{"no RFC", "crypto/x509 and OpenSSL take a dot in front of a DNS constraint for the names below; pyhanko matches none", func(o otherOpinion) bool {
			return strings.Contains(o.says, "dns_name") && o.Has("constrains DNS names with a dot in front")
		}},
	},
	"cryptography": {
		{"RFC 5280, section 7.1", "case, spaces and string type do not count; cryptography compares byte for byte", func(o otherOpinion) bool {
			return o.Has("spells its issuer in another way")
		}},
		{"RFC 5280, section 4.2.1.10", "directory names can be constrained; cryptography refuses such an extension where it is critical", func(o otherOpinion) bool {
			return strings.Contains(o.says, "unsupported directoryName constraint") && o.Has("constrains directory names")
		}},
		{"RFC 5280, section 4.2.1.10", "forms that nobody can compare matter where a name of the form occurs; cryptography refuses such an extension where it is critical", func(o otherOpinion) bool {
			return strings.Contains(o.says, "nameConstraints extension contains an unsupported") && (o.Has("constrains user principal names") || o.Has("constrains registered IDs"))
		}},
		{"RFC 5280, section 4.2.1.10", "directory names, e-mail addresses and URIs can be constrained, and other forms matter where a name of the form occurs; cryptography does not compare them", func(o otherOpinion) bool {
			return strings.Contains(o.says, "unsupported name constraint") && (o.Has("constrains directory names") || o.Has("constrains e-mail addresses") || o.Has("constrains URIs") || o.Has("constrains registered IDs") || o.Has("constrains user principal names"))
		}},
		{"RFC 5280, section 4.2.1.4", "certificate policies are processed here; cryptography does not know the extension where it is critical", func(o otherOpinion) bool {
			return strings.Contains(o.says, "2.5.29.32: certificate contains unaccounted-for critical") && o.Has("has a policy")
		}},
		{"RFC 5280, section 4.2.1.11", "policy constraints are processed here; cryptography does not know the extension where it is critical", func(o otherOpinion) bool {
			return strings.Contains(o.says, "2.5.29.36: certificate contains unaccounted-for critical") && o.Has("requires an explicit policy")
		}},
		{"RFC 5280, section 6.1.3 (a) (1)", "of several keys of one name the signature decides; cryptography does not find the path", func(o otherOpinion) bool {
			return strings.Contains(o.says, "signature does not match") && o.Has("is self-issued")
		}},
		{"no RFC", "crypto/x509 and OpenSSL take a dot in front of a DNS constraint for the names below; cryptography takes it for malformed", func(o otherOpinion) bool {
			return strings.Contains(o.says, "malformed DNS name constraint") && o.Has("constrains DNS names with a dot in front")
		}},
	},
}
