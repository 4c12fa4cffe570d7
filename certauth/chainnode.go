package certauth

import (
	"bytes"
	"context"
	"crypto/x509"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seed2886b8ae/go-certauth/internal/chainsearch"
	"github.com/seed2886b8ae/go-certauth/internal/reload"
)

// maxChainNodes is the number of different Chain policies that one Authenticator may have. It is
// bounded because the facts about each certificate have a place for each of them.
const maxChainNodes = 256

// chainSettings holds everything on which the answer of a Chain depends, except the certificate,
// the state of the material and the time.
type chainSettings struct {
	chainsearch.Settings

	roots         *reload.Item[chainsearch.Pool] // nil with the system's roots
	intermediates *reload.Item[chainsearch.Pool]
	strictEKU     bool
	serverAuth    string // the reason for accepting serverAuth as clientAuth; empty if it is not accepted
}

// chainNode is a Chain without its place in the policy. Chain policies with the same settings share
// one, so that there is one search and one remembered answer for each certificate.
type chainNode struct {
	chainSettings

	place int // index in the answers about every certificate
	among *chainNodes

	unknown  atomic.Pointer[chainAnswer] // for every leaf whose issuer is not configured
	admitted chainsearch.Admissions
}

// chainNodes holds the nodes of one Authenticator, including those of Require, and the pools of
// CA certificates that they read.
type chainNodes struct {
	mutex  sync.Mutex
	pools  []sharedPool
	empty  *reload.Item[chainsearch.Pool] // for Chains without a source of intermediates
	system *x509.CertPool
	nodes  map[chainSettings]*chainNode
}

// sharedPool is a pool and the source that it is read from.
type sharedPool struct {
	source CertSource
	pool   *reload.Item[chainsearch.Pool]
}

// sameSource reports whether two sources are certainly the same. Functions cannot be compared, and
// types of other packages that embed a source are not known.
func sameSource(a, b CertSource) bool {
	switch a := a.(type) {
	case PEMFile, Env, CertFile, CertDir:
		return a == b
	case PEM:
		b, ok := b.(PEM)
		return ok && bytes.Equal(a, b)
	case certificateSet:
		b, ok := b.(certificateSet)
		return ok && slices.Equal(a.list, b.list)
	}
	return false
}

func (n *chainNodes) poolOf(source CertSource) *reload.Item[chainsearch.Pool] {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	for _, known := range n.pools {
		if sameSource(known.source, source) {
			return known.pool
		}
	}
	return nil
}

func (n *chainNodes) add(source CertSource, pool *reload.Item[chainsearch.Pool]) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if text, ok := source.(PEM); ok { // users may change their text later
		source = PEM(bytes.Clone(text))
	}
	n.pools = append(n.pools, sharedPool{source, pool})
}

// node returns the node with these settings; it makes one if there is none.
func (n *chainNodes) node(settings chainSettings) *chainNode {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if known := n.nodes[settings]; known != nil {
		return known
	}
	if n.nodes == nil {
		n.nodes = map[chainSettings]*chainNode{}
	}
	made := &chainNode{chainSettings: settings, place: len(n.nodes), among: n}
	n.nodes[settings] = made
	return made
}

func (n *chainNodes) len() int {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return len(n.nodes)
}

// list returns the nodes in the order in which they were made.
func (n *chainNodes) list() []*chainNode {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return slices.SortedFunc(maps.Values(n.nodes), func(a, b *chainNode) int { return a.place - b.place })
}

// systemPool loads the system's roots once.
func (n *chainNodes) systemPool() (*x509.CertPool, error) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.system == nil {
		pool, err := x509.SystemCertPool() //nolint:forbidigo // the one place that asks for it, by InsecureSystemRoots
		if err != nil {
			return nil, err
		}
		n.system = pool
	}
	return n.system, nil
}

// node returns the node with these settings. Too many different ones are a mistake.
func (c *compilation) node(path string, settings chainSettings) *chainNode {
	node := c.chains.node(settings)
	if node.place >= maxChainNodes && !c.crowded {
		c.mistake(path, "more than %d different Chain policies; put CAs with the same settings into one Chain, and distinguish callers by rules after it", maxChainNodes)
		c.crowded = true
	}
	return node
}

// pool loads CA certificates and indexes them. A nil source is a mistake if it is required. Equal
// sources share a pool, so that they are also reloaded once.
func (c *compilation) pool(path string, source CertSource, required bool) *reload.Item[chainsearch.Pool] {
	if isNil(source) {
		if required {
			c.mistake(path, "nil; name the CAs you trust")
		}
		return c.chains.noCAs()
	}
	if pool := c.chains.poolOf(source); pool != nil {
		return pool
	}
	before := len(c.mistakes)
	pool := watch(c, path, source.reloads(), func(ctx context.Context, known reload.Digest) (chainsearch.Pool, reload.Digest, error) {
		certs, sum, err := source.certs(ctx, known)
		if err != nil || sum == known {
			return chainsearch.Pool{}, sum, err
		}
		pool, err := chainsearch.NewPool(certs, source.describe())
		return pool, sum, err
	})
	if len(c.mistakes) == before {
		c.chains.add(source, pool)
	}
	return pool
}

func (n *chainNodes) noCAs() *reload.Item[chainsearch.Pool] {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.empty == nil {
		n.empty = reload.Fixed("", chainsearch.Pool{})
	}
	return n.empty
}
