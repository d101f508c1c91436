package client

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
)

// In returns the API of a kind in a namespace; empty: the client's.
func (c *Client) In(k Kind, namespace string) dynamic.ResourceInterface {
	if !k.Namespaced {
		return c.dynamic.Resource(k.Resource)
	}
	if namespace == "" {
		namespace = c.namespace
	}
	return c.dynamic.Resource(k.Resource).Namespace(namespace)
}

// List returns the objects of a kind in the client's namespace that the label
// selector matches, as they were a moment ago (see ReuseLists).
func (c *Client) List(ctx context.Context, k Kind, selector string) ([]unstructured.Unstructured, error) {
	if items, ok := c.recent.get(k.Resource.Resource, selector); ok {
		return items, nil
	}
	at, epoch := time.Now(), c.recent.current()
	l, err := c.In(k, "").List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, Explain("list "+k.Resource.Resource+" in "+c.title, err)
	}
	c.recent.put(k.Resource.Resource, selector, at, epoch, l.Items)
	return l.Items, nil
}

// Get returns an object, or nil if it does not exist.
func (c *Client) Get(ctx context.Context, k Kind, namespace, name string) (*unstructured.Unstructured, error) {
	o, err := c.In(k, namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, Explain("read "+k.Resource.Resource+" "+name, err)
	}
	return o, nil
}

// Delete deletes an object, and in the background what it owns. An object that does
// not exist is fine.
func (c *Client) Delete(ctx context.Context, k Kind, namespace, name string) error {
	background := metav1.DeletePropagationBackground
	err := c.In(k, namespace).Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &background})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return Explain("remove "+k.Resource.Resource+" "+name, err)
}

// Title names an object for people.
func Title(o *unstructured.Unstructured) string { return o.GetKind() + " " + o.GetName() }

// ListOf lists objects as a type of k8s.io/api.
func ListOf[T any](ctx context.Context, c *Client, k Kind, selector string) ([]T, error) {
	items, err := c.List(ctx, k, selector)
	if err != nil {
		return nil, err
	}
	out := make([]T, len(items))
	for i := range items {
		if out[i], err = As[T](&items[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// As converts an object to a type of k8s.io/api.
func As[T any](o *unstructured.Unstructured) (T, error) {
	var out T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &out); err != nil {
		return out, fmt.Errorf("read %s: %w", Title(o), err)
	}
	return out, nil
}

// Warnings returns the warnings in the client's namespace.
func (c *Client) Warnings(ctx context.Context) ([]corev1.Event, error) {
	l, err := c.In(Events(), "").List(ctx, metav1.ListOptions{FieldSelector: "type=Warning"})
	if err != nil {
		return nil, Explain("list events in "+c.title, err)
	}
	out := make([]corev1.Event, len(l.Items))
	for i := range l.Items {
		if out[i], err = As[corev1.Event](&l.Items[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}
