import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { BrokenPage } from './broken-page.tsx';
import './style.css';

createRoot(document.querySelector('#root')!).render(
  <StrictMode>
    <BrokenPage>
      <App />
    </BrokenPage>
  </StrictMode>,
);
