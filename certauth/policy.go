package certauth

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/mistakes"
	"github.com/seed2886b8ae/go-certauth/internal/reload"
)

// Policy decides whether a certificate is accepted. Policies are plain values of this package
// that can be nested in [All], [Any], [Not], [Named] and [AcceptServerAuth]. [New] copies, checks
// and prints the tree, so the interface cannot be implemented elsewhere. Use [PolicyFunc] for a
// rule of your own.
//
// # Anchors
//
// The names in a certificate are whatever its creator wrote. A rule on names means something only
// if the certificate is tied to something you configured, an anchor. [Chain], [Thumbprints],
// [ThumbprintsSHA1] and [Certificates] vouch for the whole certificate, names included;
// [PublicKeys] vouches only for the key. New refuses a policy in which an accepting path lacks an
// anchor, or has a rule on names before one.
//
// # Always on
//
// Under every anchor the certificate must be within its validity; must allow client
// authentication if it has an extended key usage (see [AcceptServerAuth]); must allow signatures
// or key agreement if it has a key usage; must not have an unknown critical extension; must be an
// X.509 version 3 certificate with a key of RSA 2048 to 8192 bits, ECDSA P-256, P-384 or P-521,
// Ed25519, or ML-DSA (FIPS 204, RFC 9881; in programs built with Go 1.27 or later); and must not
// be a CA certificate unless it is pinned as a whole.
type Policy interface {
	// compile checks the policy at its place and returns its immutable form.
	compile(c *compilation, at place) (rule, standing)
}

// rule is a compiled policy: immutable, safe for concurrent use. judge returns nil to accept. It
// may add results and late rules to the evaluation's path.
type rule interface {
	judge(e *evaluation) *Error
	describe(p *printer)
}

// vouching says how much of a certificate the rules so far vouch for.
type vouching int

const (
	vouchedNothing vouching = iota
	vouchedKey              // the public key is known, but anyone can have written the rest
	vouchedNames            // the certificate as a whole is vouched for
)

// standing is what is established at a place of the tree on every path to it.
type standing struct {
	vouched vouching
	chain   bool // a Chain has verified
	public  bool // and it trusts every public CA
	named   bool // a rule distinguishes callers of the same CA: a name, a pin, a function
}

func (s standing) meet(other standing) standing {
	return standing{
		vouched: min(s.vouched, other.vouched), chain: s.chain && other.chain,
		public: s.public && !s.named || other.public && !other.named, named: s.named && other.named,
	}
}

func (s standing) withName() standing {
	s.named = true
	return s
}

// place is the position of a policy in the tree.
type place struct {
	path     string
	standing standing
	skew     time.Duration
	nots     int // number of enclosing Not
	depth    int

	serverAuth string // the reason of the AcceptServerAuth around it
}

// negated reports whether an acceptance here becomes a refusal.
func (at place) negated() bool { return at.nots%2 == 1 }

// A tree that is deeper or larger than this is a loop or a mistake.
const (
	maxPolicyDepth = 32
	maxPolicyNodes = 10_000
)

// compilation collects every mistake of a tree and the material it reads.
type compilation struct {
	mistakes  []error
	material  *reload.Material
	roles     roleNames
	chains    *chainNodes
	defects   *defects // nil if the compilation only looks for mistakes
	verified  bool     // the anchor is a front end that verifies (see frontEndRule)
	nodes     int
	overgrown bool
	crowded   bool // with too many different Chain policies; reported once

	anchors    int      // Chain policies and pins so far
	serverAuth []string // reasons of AcceptServerAuth
}

// roleNames are the names of the Named policies so far, and the names that a Matched refers to.
type roleNames struct{ given, wanted []string }

func (n roleNames) clone() roleNames {
	return roleNames{slices.Clone(n.given), slices.Clone(n.wanted)}
}

// plus appends the names that other has in addition to before.
func (n roleNames) plus(other, before roleNames) roleNames {
	return roleNames{
		append(n.given, other.given[len(before.given):]...),
		append(n.wanted, other.wanted[len(before.wanted):]...),
	}
}

func (c *compilation) mistake(path, format string, args ...any) {
	if len(args) == 1 && format == "%w" {
		if err, ok := args[0].(error); ok {
			c.mistakes = append(c.mistakes, mistakes.Prefix(path+": ", err)...)
			return
		}
	}
	c.mistakes = append(c.mistakes, fmt.Errorf("%s: %w", path, fmt.Errorf(format, args...)))
}

// watch loads a value of the configuration for the first time and keeps it for reloads if it
// can change.
func watch[T any](c *compilation, path string, reloads bool, load func(context.Context, reload.Digest) (T, reload.Digest, error)) *reload.Item[T] {
	item, err := reload.Watch(c.material, path, reloads, load)
	if err != nil {
		c.mistake(path, "%w", err)
	}
	return item
}

// child compiles a nested policy. Nil of any kind, also in a struct that embeds a Policy, is a
// mistake and becomes a rule that denies.
func (c *compilation) child(policy Policy, at place) (compiled rule, after standing) {
	if isNil(policy) {
		c.mistake(at.path, "nil policy")
		return invalidRule{path: at.path}, at.standing
	}
	at.depth++
	c.nodes++
	if at.depth > maxPolicyDepth || c.nodes > maxPolicyNodes {
		if !c.overgrown {
			c.mistake(at.path, "nested deeper than %d or more than %d policies", maxPolicyDepth, maxPolicyNodes)
		}
		c.overgrown = true
		return invalidRule{path: at.path}, at.standing
	}
	defer func() {
		if recover() != nil {
			c.mistake(at.path, "cannot be compiled; does a struct embed a nil Policy?")
			compiled, after = invalidRule{path: at.path}, at.standing
		}
	}()
	nodes := c.nodes
	compiled, after = policy.compile(c, at)
	if single := c.nodes == nodes; single { // combinators have passed the Not down
		compiled = negate(compiled, at)
	}
	return compiled, after
}

// negate wraps a single rule into the Not around it. A Not around a Not has no effect.
func negate(r rule, at place) rule {
	switch r.(type) {
	case *issuedByRule, *notIssuerRule, invalidRule: // the first two implement their negation, which considers other chains
		return r
	}
	if at.negated() {
		return &notRule{path: at.path, part: r}
	}
	return r
}

// needAnchor reports a rule at a place where nothing vouches for the certificate.
func (c *compilation) needAnchor(path string, at place) {
	if at.standing.vouched == vouchedNothing {
		c.mistake(path, "comes before any anchor; put a Chain or a pin before it")
	}
}

// needNames reports a rule on names at a place where nothing vouches for them.
func (c *compilation) needNames(path string, at place) {
	switch at.standing.vouched {
	case vouchedNothing:
		c.mistake(path, "comes before any anchor; put a Chain or a pin of the certificate before it")
	case vouchedKey:
		c.mistake(path, "a public-key pin does not vouch for names; add a Chain or pin the certificate")
	case vouchedNames:
	}
}

// forbidUnderNot reports a policy whose refusal must never become an acceptance.
func (c *compilation) forbidUnderNot(path string, at place) {
	if at.nots > 0 {
		c.mistake(path, "not allowed under Not; only rules on names, issuers and extensions are")
	}
}

// compilePolicy compiles a whole tree. start is what is established before it; the returned
// standing is what is established when it accepts.
func (c *compilation) compilePolicy(policy Policy, path string, start standing) (rule, standing) {
	before := len(c.mistakes)
	root, end := c.child(policy, place{path: path, standing: start})
	if end.vouched == vouchedNothing && len(c.mistakes) == before {
		for _, open := range unanchored(policy, path) {
			c.mistake(open, "accepts without an anchor; add a Chain or a pin")
		}
	}
	if end.public && !end.named && len(c.mistakes) == before {
		c.mistake(path, "accepts a certificate of every public CA; add a rule on names or IssuedBy")
	}
	return root, end
}

// unanchored returns the deepest places at which a path without an anchor accepts.
func unanchored(policy Policy, path string) []string {
	var open []string
	switch p := policy.(type) {
	case Any:
		for i, branch := range p {
			_, end := (&compilation{material: reload.New(0, nil, nil), chains: &chainNodes{}}).child(branch, place{path: path})
			if end.vouched == vouchedNothing {
				open = append(open, unanchored(branch, index(path, "Any", i))...)
			}
		}
	case All:
		for i, part := range p {
			if inner, ok := part.(Any); ok {
				open = append(open, unanchored(inner, index(path, "All", i))...)
			}
		}
	}
	if len(open) == 0 {
		return []string{path}
	}
	return open
}

func index(path, name string, i int) string { return fmt.Sprintf("%s.%s[%d]", path, name, i) }

// isNil reports whether v is nil or a typed nil.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch value := reflect.ValueOf(v); value.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Chan:
		return value.IsNil()
	default:
		return false
	}
}

// invalidRule replaces a policy that could not be compiled.
type invalidRule struct{ path string }

func (r invalidRule) judge(*evaluation) *Error {
	return &Error{Reason: ReasonNotConfigured, Rule: r.path, Err: errors.New("the rule was not compiled"), Hint: ReasonNotConfigured.info().hint}
}

func (r invalidRule) describe(p *printer) { p.line("deny everything (not usable)") }
