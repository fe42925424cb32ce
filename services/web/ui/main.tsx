import { render } from 'preact';
import './main.css';
import { openFeed } from './feed.ts';
import { Page } from './page.tsx';

const place = document.getElementById('page');
if (place) render(<Page />, place);
openFeed();
