import React from 'react';

export default function App() {
  return <h1>Churn</h1>;
}
